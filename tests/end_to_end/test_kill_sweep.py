"""A real `dvc repro` is killed with all its processes, started again once, and ends with the same dvc.lock.

Each kill has a project of its own in which all before some stage is done. What comes after that stage is in DVC's run
cache, and is restored from there only if what it depends on is the same to the byte; the report is made anew.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter

import pytest
from ruamel.yaml import YAML

SEED = 20261124
# DVC died while it wrote a file of its own; what the README says is to be done about it.
REMEDIES = {
    "Unable to read RWLock-file": ["rm", ".dvc/tmp/rwlock"],
    "'./dvc.lock' validation failed": ["git", "checkout", "dvc.lock"],
}
STAGES = ["prepare", "validate", "train", "evaluate", "report"]


def before(project, stage, folder):
    """Copy a project to where a stage is to run next and has never run."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project.folder, folder, symlinks=True)
    # A test that let a training fail at its very end may have left all that a training needs.
    shutil.rmtree(folder / ".dvc/tmp/checkpoints", ignore_errors=True)
    lock = folder / "dvc.lock"
    entries = YAML(typ="safe").load(lock)["stages"]
    lock.write_text(lock.read_text().partition(f"  {stage}:\n")[0])
    if stage == STAGES[0]:
        lock.unlink()
    for out in entries[stage]["outs"]:
        forget_object(folder, out["md5"])
    for run in (folder / ".dvc/cache/runs").glob("*/*/*"):
        if f"stages.{stage}\n" in run.read_text():
            shutil.rmtree(run.parent)
    for name in STAGES[STAGES.index(stage) :]:
        for out in entries[name]["outs"]:
            remove(folder / out["path"])
    return type(project)(folder)


def cached(folder, md5):
    """Where DVC has the content of that hash."""
    return folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def forget_object(folder, md5):
    path = cached(folder, md5)
    if md5.endswith(".dir"):
        for entry in json.loads(path.read_text()):
            forget_object(folder, entry["md5"])
    path.unlink(missing_ok=True)


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def wait_for(process, stage):
    """Read until a stage begins."""
    assert any(f"Running stage '{stage}'" in line for line in process.stdout)


def kill(process):
    """Kill a process with all that it has started; False when it had ended before."""
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return alive


def moments(seconds, count):
    """Draw moments over the whole pipeline, one from each of so many equal parts of it."""
    draw = random.Random(SEED)  # noqa: S311
    for number in range(count):
        moment = (number + draw.random()) / count * sum(seconds.values())
        for stage, length in seconds.items():
            if moment < length:
                yield stage, moment
                break
            moment -= length


def kill_within(project, command, stage, moment, folder):
    """Kill a command in a copy of the project so many seconds into a stage; return the copy and what it came to."""
    while True:  # it may be quicker than it was
        copy = before(project, stage, folder)
        process = copy.start(*command)
        wait_for(process, stage)
        time.sleep(moment)
        if kill(process):
            return copy, f"killed {moment:.3f} seconds into {stage}"
        moment *= 0.8


def sweep(project, command, kills, folder, count):
    """Kill a command at so many moments and start it again after each; go on after a failure, to count them all."""
    counts, failures = Counter(), []
    for stage, moment in moments(project.seconds, kills):
        copy, killed = kill_within(project, command, stage, moment, folder)
        again = copy.start(*command)
        said, _ = again.communicate(timeout=300)
        remedy = next((remedy for sign, remedy in REMEDIES.items() if sign in said), None)
        if remedy and command[0] == "dvc":
            counts.update(helped=True)
            copy.run(*remedy)
            again = copy.start(*command)
            said, _ = again.communicate(timeout=300)
        survived = again.returncode == 0
        identical = survived and copy.lock() == project.lock()
        counts.update(survived=survived, identical=identical, resumed="resuming after epoch" in said)
        if not identical:
            failures.append(f"{killed}, and {'dvc.lock differs' if survived else 'the next run failed'}:\n{said}")
    count(
        "counted",
        f"kills of {' '.join(command[-2:])} at random moments, seed {SEED}: {counts['survived']} of {kills} survived, "
        f"{counts['identical']} of {counts['survived']} identical, {counts['resumed']} resumed, {counts['helped']} "
        "after DVC's own half-written file was mended",
    )
    assert not failures, "\n\n".join(failures)


def test_whenever_it_is_killed_it_ends_as_if_it_had_not_been(project, tmp_path, pytestconfig, record_property):
    sweep(project, ["dvc", "repro"], pytestconfig.getoption("kills"), tmp_path / "project", record_property)


def model_in_cache(folder, entries):
    (model,) = (out for out in entries["train"]["outs"] if out["path"] == "models/model.keras")
    return cached(folder, model["md5"]).exists()


WORST = {
    "while a checkpoint is written": lambda folder, _: any(folder.glob(".dvc/tmp/checkpoints/*/unfinished")),
    "between the model and its metrics": lambda folder, _: (folder / "models/model.keras").exists(),
    "while DVC takes the model into its cache": model_in_cache,
}


def kill_when(reached, copy, entries):
    """Run the pipeline and kill it as soon as something is so; False when it ended before that was seen."""
    process = copy.start("dvc", "repro")
    wait_for(process, "train")
    while process.poll() is None and not reached(copy.folder, entries):
        # A moment lasts longer than that, and what is to be killed needs the processor.
        time.sleep(0.001)
    return kill(process)


def test_killed_at_all_the_worst_moments_in_turn_it_ends_as_if_it_had_not_been(project, tmp_path, record_property):
    entries = YAML(typ="safe").load(project.folder / "dvc.lock")["stages"]
    for _ in range(5):  # a moment is short, and on a busy machine it may pass unseen
        copy = before(project, "train", tmp_path / "project")
        if all(kill_when(reached, copy, entries) for reached in WORST.values()):
            break
    else:
        pytest.fail("in five attempts one of the moments was missed")
    copy.run("dvc", "repro")
    assert copy.lock() == project.lock()
    record_property("counted", f"kills {', '.join(WORST)}: {len(WORST)} of {len(WORST)} survived, 1 of 1 identical")


def test_whenever_a_flow_run_is_killed_it_ends_as_if_it_had_not_been(
    project, prefect_server, tmp_path, pytestconfig, record_property, monkeypatch
):
    """Its supervisor ends the stage, which the next run must not collide with."""
    monkeypatch.setitem(project.environment, "PREFECT_API_URL", prefect_server)
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    flow = [sys.executable, "-m", "pipeline", "run"]
    sweep(project, flow, pytestconfig.getoption("flow_kills"), tmp_path / "project", record_property)
