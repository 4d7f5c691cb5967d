"""Many flow runs in one served process: nothing that they leave behind grows with their number."""

import functools
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing

import psutil
import pytest

NEVER = "0 0 29 2 *"
# Prefect forgets events by their age, after a week; logs go with their flow run, but a little later.
COUNTED_OTHERWISE = ("event", "log")
ORPHANS = "select count(*) from log where flow_run_id not in (select id from flow_run)"


@pytest.fixture
def served(toy, api, wait_for, tmp_path):
    """The deployment and the process that serves it, with nothing due and a folder for temporary files of its own."""
    for name, variable in {"temporary": "TMPDIR", "site-cache": "DVC_SITE_CACHE_DIR"}.items():
        (tmp_path / name).mkdir()
        toy.environment[variable] = str(tmp_path / name)
    with toy.start("serve", "--cron", NEVER, "--retry-waits") as serving:
        # It says more than a pipe holds.
        threading.Thread(target=functools.partial(list, serving.stdout), daemon=True).start()
        yield wait_for(lambda: api.deployment(toy))["id"], psutil.Process(serving.pid)


def open_files(process):
    """The fewest that a process holds within two seconds, as some are open for a moment only."""
    counts = []
    for _ in range(10):
        counts.append(process.num_fds())
        time.sleep(0.2)
    return min(counts)


def files(folder):
    """Count what temporary folders, DVC and the logs hold."""
    places = ("site-cache", "toy/.dvc", "toy/logs")
    counts = {place: sum(path.is_file() for path in (folder / place).rglob("*")) for place in places}
    return Counter(counts | {"temporary": len(list((folder / "temporary").rglob("*")))})


def ask(home, question):
    """Ask Prefect's database."""
    with closing(sqlite3.connect(f"file:{home['PREFECT_HOME']}/prefect.db?mode=ro", uri=True, timeout=60)) as database:
        return database.execute(question).fetchall()


def rows(home):
    """Count the rows of each table of Prefect's database."""
    tables = [name for (name,) in ask(home, "select name from sqlite_master where type = 'table'")]
    counted = [name for name in tables if not name.startswith(COUNTED_OTHERWISE)]
    return Counter({name: ask(home, f"select count(*) from {name}")[0][0] for name in counted})  # noqa: S608


def test_many_flow_runs_in_one_served_process_leave_nothing_behind_that_grows(
    toy, api, served, home, tmp_path, wait_for, growth, pytestconfig, record_property
):
    own, serving = served
    count = pytestconfig.getoption("flow_runs")
    memory, handles, left = [], [], []
    for number in range(count):
        # The first becomes the champion, which is kept for good; the others are rejected, and go.
        toy.get_right(50 if number else 150)
        (toy.folder / "photos/number").write_text(f"number {number}")
        run = api.ask(f"deployments/{own}/create_flow_run")["id"]
        wait_for(lambda run=run: api.run(run)["state"]["type"] == "COMPLETED", 300)
        assert api.state(run) == ("Rejected" if number else "Promoted")
        # Python's own tracker of resources is one, and stays.
        wait_for(lambda: len(serving.children(recursive=True)) <= 1)
        memory.append(serving.memory_info().rss)
        handles.append(open_files(serving))
        if number in (count // 2, count - 1):
            toy.pipeline("clean", "--keep", "1")
            wait_for(lambda: ask(home, ORPHANS) == [(0,)])
            left.append(files(tmp_path) + rows(home))
    halfway, at_last = left
    record_property(
        "counted",
        f"flow runs in one served process: {count} completed, peak memory {max(memory) / 1e6:.0f} MB, growth "
        f"{growth(memory):+.2%}, {handles[-1]} open files, {at_last.total() - halfway.total()} files and rows more "
        "after clean",
    )
    assert growth(memory) < 0.05
    assert growth(handles) <= 0
    assert at_last - halfway == Counter(), "files of a folder, or rows of a table, that grew"
    assert len(toy.branches()) == 2, "the champion's and the newest"
