"""What one retraining does, with real git, real DVC and a real Prefect server."""

import json

import pytest


@pytest.fixture(scope="module")
def first(committed, tmp_path_factory):
    """A first retraining, while a person is in the middle of something: the toy, and git's state before."""
    toy = committed.copy(tmp_path_factory.mktemp("first"))
    (toy.folder / "train.py").write_text("a person is in the middle of something\n")
    (toy.folder / "notes.txt").write_text("not even added\n")
    before = state(toy)
    assert "promoted: there is no champion yet, and every limit holds" in toy.retrain()
    return toy, before


def state(toy):
    return toy.run("git", "status", "--porcelain"), toy.run("git", "rev-parse", "HEAD")


def test_the_first_retraining_leaves_a_branch_a_champion_and_the_users_work_alone(first):
    toy, before = first
    assert state(toy) == before
    assert (toy.folder / "train.py").read_text() == "a person is in the middle of something\n"
    (branch,) = toy.branches()
    kept = toy.run("git", "ls-tree", "-r", "--name-only", branch).split()
    assert {"dvc.lock", "params.yaml", "metrics/evaluate.json", "metrics/train.json"} <= set(kept)
    assert toy.run("git", "worktree", "list").count("\n") == 1
    toy.run("dvc", "artifacts", "get", ".", "model", "--stage", "champion", "--out", "got.keras")
    assert (toy.folder / "got.keras").read_text() == "always the same"


def test_what_prefect_shows_of_a_retraining(first, api):
    toy, _ = first
    (run,) = api.runs(toy)
    assert run["state"]["name"] == "Promoted"
    logs = api.logs(run["id"])
    assert "Epoch 3/3" in logs
    artifacts = api.artifacts(run["id"])
    assert {"metrics", "verdict", "stages", "progress-train"} <= artifacts.keys()
    tasks = api.ask("task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}}, sort="EXPECTED_START_TIME_ASC")
    states = {task["name"]: task["state"]["name"] for task in tasks}
    assert states == {
        "update data": "Completed",
        "plan": "Completed",
        "fetch": "Completed",
        "photos.dvc": "Unchanged",
        "train": "Ran",
        "evaluate": "Ran",
        "gate": "Completed",
    }


def test_metrics_can_be_compared_another_clone_pulls_the_model_and_its_promotion_can_be_undone(retrained, tmp_path):
    toy = retrained
    toy.run("dvc", "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    toy.run("git", "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    toy.run("git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    toy.run("git", "commit", "--quiet", "--all", "--message", "a remote")
    toy.run("git", "push", "--quiet", "origin", "main")
    toy.get_right(160)
    toy.retrain("--push")
    first, second = toy.branches()
    changed = json.loads(toy.run("dvc", "metrics", "diff", "--json", first, second))
    assert changed["metrics/evaluate.json"]["accuracy"] == {"old": 0.75, "new": 0.8, "diff": pytest.approx(0.05)}
    models = toy.pipeline("models")
    assert models.index("model@v0.0.2  champion") < models.index("model@v0.0.1")
    assert "model@v0.0.1 is the champion again" in toy.pipeline("rollback")
    toy.run("git", "clone", "--quiet", "--branch", second, str(tmp_path / "origin.git"), str(tmp_path / "clone"))
    toy.folder = tmp_path / "clone"
    toy.run("dvc", "pull", "--quiet")
    assert (tmp_path / "clone/models/model.keras").read_text() == "always the same"
    assert "model@v0.0.2" in toy.run("git", "tag")


def test_what_a_run_tells_nobody(toy, tmp_path):
    """Every process of a run reports whom it connects to: this machine alone."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(
        "import sys\n"
        "def hook(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'):\n"
        f"        open({str(tmp_path / 'asked')!r}, 'a').write(repr(arguments[-1] if event == 'socket.connect' "
        "else arguments[0]) + '\\n')\n"
        "sys.addaudithook(hook)\n"
    )
    toy.environment |= {"PYTHONPATH": str(tmp_path / "hook")}
    for name in ("PREFECT_API_URL", "PREFECT_SERVER_ANALYTICS_ENABLED", "DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        toy.environment.pop(name, None)
    toy.retrain()
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked
    here = ("('127.0.0.1", "'127.0.0.1", "'localhost", "'/", "b'/", "None")
    assert not [line for line in asked if not line.startswith(here)]
