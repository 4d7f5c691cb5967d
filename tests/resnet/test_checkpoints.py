import math
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resnet.checkpoints import Checkpoint, Checkpoints, Part


def made(epoch, step=0, finished=False):
    """A checkpoint with a bit of everything."""
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3) + epoch, np.array(7, np.int64), np.zeros((0, 2), np.float16)]
    values = {"score": [-math.inf, 0.1], "history": {"loss": [0.1 + 0.2, math.nan]}, "best": None}
    return Checkpoint(epoch, step, finished, {"model": Part(arrays, {}), "callback": Part([], values)})


def same(one, other):
    """Equal to the bit; NaN is equal to itself."""
    return repr(one) == repr(other) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(one.parts["model"].arrays, other.parts["model"].arrays, strict=True)
    )


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "made" / "when needed")


def test_a_folder_that_is_not_there_has_no_checkpoint(checkpoints):
    assert checkpoints.newest() is checkpoints.position() is None


@pytest.mark.parametrize("finished", [True, False])
def test_a_checkpoint_comes_back_to_the_bit(checkpoints, finished):
    saved = made(3, 14, finished)
    checkpoints.save(saved)
    assert same(checkpoints.newest(), saved)
    assert checkpoints.position() == (3, 14)


def test_the_newest_is_given_and_the_one_before_it_is_kept(checkpoints):
    for epoch, step in [(0, 5), (1, 0), (1, 12), (2, 0), (10, 0)]:
        checkpoints.save(made(epoch, step))
    assert checkpoints.position() == (10, 0)
    newest, former = sorted(checkpoints.folder.iterdir(), reverse=True)
    newest.unlink()
    assert same(checkpoints.newest(), made(2, 0))
    assert former.name.startswith("000002-00000000-")


def test_a_disk_without_room_is_left_no_fuller_and_the_former_checkpoint_stays(checkpoints):
    checkpoints.save(made(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As a full disk does, it lets a part be written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoints.save(made(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [file.suffix for file in checkpoints.folder.iterdir()] == [".npz"]
    assert same(checkpoints.newest(), made(1))


def test_what_was_half_written_is_no_checkpoint_and_no_obstacle(checkpoints):
    checkpoints.save(made(1))
    (checkpoints.folder / "unfinished").write_bytes(b"half" * 10_000)
    assert same(checkpoints.newest(), made(1))
    checkpoints.save(made(2))
    assert same(checkpoints.newest(), made(2))
    assert not (checkpoints.folder / "unfinished").exists()


# Whatever the machine writes slowly is no fault.
@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_any_damage_is_found_and_the_one_before_serves(tmp_path_factory, place, bit, cut):
    checkpoints = Checkpoints(tmp_path_factory.mktemp("damaged"))
    checkpoints.save(made(1))
    checkpoints.save(made(2))
    newest = max(checkpoints.folder.iterdir())
    content = bytearray(newest.read_bytes())
    at = int(place * len(content))
    content[at] ^= 1 << bit
    newest.write_bytes(content[:at] if cut else content)
    assert same(checkpoints.newest(), made(1))
    assert not newest.exists()


def test_no_pickle_is_written_or_read(checkpoints, tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        checkpoints.save(Checkpoint(0, 0, False, {"model": Part([np.array([object()])], {})}))
    assert checkpoints.newest() is None
