import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.errors import BadInput
from stages.exclusive import alone

ROOT = Path(__file__).parents[2]
OTHER = """
import sys
from pathlib import Path
from stages.exclusive import alone
with alone(Path("stages/prepare.lock"), "the stage prepare"):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def orphan(here):
    """A process that is at a stage until it is told to end, or killed."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER],
        cwd=here,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def test_a_process_that_outlived_its_run_is_named_when_it_does_not_end(orphan, here):
    sentence = f"the process {orphan.pid} is still at the stage prepare after 0 seconds.*`kill {orphan.pid}`"
    with pytest.raises(BadInput, match=sentence), alone(here / "stages/prepare.lock", "the stage prepare", patience=0):
        pass
    with alone(here / "stages/train.lock", "the stage train", patience=0):
        pass


def test_a_process_that_outlived_its_run_is_waited_for(orphan, here, caplog):
    class EndsIt:
        """A log handler, so that the orphan ends when it has been seen."""

        level = 0

        def handle(self, record):
            orphan.stdin.close()

    logger = logging.getLogger("stages.exclusive")
    logger.addHandler(handler := EndsIt())
    try:
        with alone(here / "stages/prepare.lock", "the stage prepare", patience=100):
            assert orphan.wait(timeout=10) == 0
            assert (here / "stages/prepare.lock").read_text() == str(os.getpid())
    finally:
        logger.removeHandler(handler)
    assert caplog.messages == [f"waiting for the process {orphan.pid}, which is at the stage prepare"]


def test_a_lock_ends_with_its_process_even_when_that_is_killed(orphan, here):
    orphan.kill()
    orphan.wait()
    with alone(here / "stages/prepare.lock", "the stage prepare", patience=0):
        pass
