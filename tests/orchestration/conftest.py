"""A pipeline in miniature that DVC runs in seconds, and a real Prefect server."""

import functools
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]

DVC_YAML = """
stages:
  train:
    cmd: python train.py
    deps: [train.py, photos]
    params: [seed]
    outs: [models/model.keras, data/prepared, data/manifest.parquet]
    metrics: [{metrics/train.json: {cache: false}}]
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, photos, models/model.keras]
    outs: [data/predictions.parquet]
    metrics: [{metrics/evaluate.json: {cache: false}}]
artifacts:
  model: {path: models/model.keras, type: model}
"""
# A stage that takes as long as a file outside of every checkout says, epoch by epoch. (pandas takes longer to import.)
TRAIN = """
import json, os, pathlib, time
import pyarrow as pa
import pyarrow.parquet as pq
seconds = float(pathlib.Path(os.environ["PACE"]).read_text())
for epoch in (1, 2, 3):
    print(f"Epoch {epoch}/3", flush=True)
    time.sleep(seconds / 3)
for folder in ("models", "data/prepared", "metrics"):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
pathlib.Path("models/model.keras").write_text("always the same")
pathlib.Path("data/prepared/classes.json").write_text('["cat", "dog"]')
pathlib.Path("metrics/train.json").write_text(json.dumps({"epochs": 3}))
names = [f"t{i}" for i in range(50)] + [f"i{i}" for i in range(200)]
splits = ["train"] * 50 + ["test"] * 200
same = {"label": "cat", "mean": 100.0, "std": 40.0, "width": 32, "height": 32, "error": None}
columns = {"sha256": names, "split": splits} | {name: [value] * 250 for name, value in same.items()}
pq.write_table(pa.table(columns), "data/manifest.parquet")
"""
EVALUATE = """
import json, pathlib
import pyarrow as pa
import pyarrow.parquet as pq
right = int(pathlib.Path("photos/right").read_text())
names, labels = [f"i{i}" for i in range(200)], ["cat", "dog"] * 100
table = pa.table({"sha256": names, "label": labels, "correct": [i < right for i in range(200)]})
pq.write_table(table, "data/predictions.parquet")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/evaluate.json").write_text(json.dumps({"accuracy": right / 200, "ece": 0.01}))
"""


class Toy:
    """A git repository with a small pipeline; `right` of its 200 test images are recognised."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.pace = folder.parent / "pace"
        self.environment = environment | {"PACE": str(self.pace)}

    def copy(self, folder):
        shutil.copytree(self.folder, folder / "toy", symlinks=True)
        shutil.copy(self.pace, folder)
        return Toy(folder / "toy", self.environment)

    def run(self, *command, status=0):
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pipeline(self, *arguments, status=0):
        return self.run("python", "-m", "pipeline", *arguments, status=status)

    def retrain(self, *arguments, status=0):
        return self.pipeline("retrain", "--retry-waits", *arguments, status=status)

    @contextmanager
    def start(self, *arguments):
        """Start a command of the pipeline and end it, and all that it started, at last."""
        with subprocess.Popen(
            ["python", "-m", "pipeline", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As a shell does.
            process_group=0,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def get_right(self, right):
        (self.folder / "photos/right").write_text(str(right))

    def take(self, seconds):
        self.pace.write_text(str(seconds))

    def branches(self):
        return self.run("git", "branch", "--list", "retrain/*", "--format=%(refname:short)").split()

    def at_work(self):
        """The processes that run in the project or one of its checkouts, but for what the tests started."""
        found = []
        for process in psutil.process_iter():
            try:
                command = process.cmdline()
                if process.cwd().startswith(str(self.folder)) and "train.py" in " ".join(command):
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="session")
def home(nobodys_settings):
    """An environment in which nobody's settings count."""
    return nobodys_settings | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # Served runs are looked for more often than in earnest.
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        **{f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }


@pytest.fixture(scope="session")
def committed(home, prefect_server, tmp_path_factory):
    """A toy that nothing has been done with."""
    folder = tmp_path_factory.mktemp("committed") / "toy"
    (folder / "photos").mkdir(parents=True)
    for name, content in {"dvc.yaml": DVC_YAML, "train.py": TRAIN, "evaluate.py": EVALUATE}.items():
        (folder / name).write_text(content)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["gate"].update(worst_class_recall=0.0, calibration_error=1.0)
    yaml.dump(params, folder / "params.yaml")
    (folder / ".gitignore").write_text("/logs/\n")
    made = Toy(folder, home | {"PREFECT_API_URL": prefect_server})
    made.get_right(150)
    made.take(0)
    made.run("git", "init", "--quiet", "--initial-branch", "main")
    made.run("dvc", "init", "--quiet")
    made.run("dvc", "add", "--quiet", "photos")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "a pipeline")
    return made


@pytest.fixture
def toy(committed, tmp_path):
    """A toy of a test's own."""
    return committed.copy(tmp_path)


@pytest.fixture(scope="session")
def first_retraining(committed, made_once):
    """A toy that was retrained once, and so has a champion; Prefect's server may be another worker's."""
    folder = made_once("retrained", lambda base: committed.copy(base).retrain())
    return Toy(folder / "toy", committed.environment)


@pytest.fixture
def retrained(first_retraining, tmp_path):
    """A toy of a test's own that was retrained once."""
    return first_retraining.copy(tmp_path)


class Api:
    """What Prefect's server says of flow runs."""

    def __init__(self, url, wait_for):
        self.url, self.wait_for = url, wait_for

    def ask(self, path, **body):
        # As Prefect's own client does: its database is one file, and says 503 while somebody else writes to it.
        post = functools.partial(httpx.post, f"{self.url}/{path}", json=body)
        return self.wait_for(lambda: (said := post()).status_code != 503 and said).raise_for_status().json()

    def runs(self, toy):
        """The flow runs of a project, the newest first."""
        found = self.ask("flow_runs/filter", sort="EXPECTED_START_TIME_DESC")
        return [run for run in found if run["parameters"].get("project") == str(toy.folder)]

    def deployment(self, toy):
        """The deployment of a project, if there is one yet."""
        found = self.ask("deployments/filter")
        return next((entry for entry in found if entry["parameters"].get("project") == str(toy.folder)), None)

    def run(self, identity):
        return httpx.get(f"{self.url}/flow_runs/{identity}").json()

    def state(self, identity):
        return self.run(identity)["state"]["name"]

    def logs(self, identity):
        wanted = {"flow_run_id": {"any_": [identity]}}
        return [entry["message"] for entry in self.ask("logs/filter", logs=wanted, sort="TIMESTAMP_ASC")]

    def artifacts(self, identity):
        found = self.ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [identity]}})
        return {entry["key"]: entry for entry in found}


@pytest.fixture
def api(prefect_server, wait_for):
    return Api(prefect_server, wait_for)


@pytest.fixture
def result():
    """What the newest run wrote down."""
    return lambda toy, command="retrain": json.loads((toy.folder / "logs" / f"{command}.json").read_text())
