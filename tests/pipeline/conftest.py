"""Small projects with real git and real DVC, which is called in this process: its start takes longer than its work."""

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import chdir, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from dvc.repo import Repo
from prefect.testing.utilities import prefect_test_harness

from pipeline.project import find

STAGES = """
stages:
  prepare:
    cmd: mkdir -p data/prepared && wc -l < data/words.txt > data/prepared/lines && cp data/words.txt data/prepared/
    deps: [data/words.txt]
    outs: [data/prepared]
  train:
    cmd: >-
      mkdir -p models metrics && cat data/prepared/* > models/model.keras && echo rate ${rate} >> models/model.keras
      && echo '{"accuracy":' 0.${rate}} > metrics/evaluate.json
    params: [rate]
    deps: [data/prepared]
    outs: [models/model.keras]
    metrics:
      - metrics/evaluate.json: {cache: false}
artifacts:
  model: {path: models/model.keras, type: model}
"""


class Small:
    """A git repository with a DVC pipeline of shell commands; each `rate` makes another model."""

    def __init__(self, folder):
        self.folder = folder

    @property
    def found(self):
        return find(self.folder)

    def git(self, *arguments, folder=None):
        done = subprocess.run(
            ["git", *arguments], cwd=folder or self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def dvc(self, folder=None):
        # Some of DVC's commands take the folder that one is in for the project's.
        with chdir(folder or self.folder), Repo() as repo:
            yield repo

    def write(self, path, text):
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def read(self, path):
        return (self.folder / path).read_text()

    def commit(self, message="a change", folder=None):
        self.git("add", "--all", folder=folder)
        self.git("commit", "--quiet", "--allow-empty", "--message", message, folder=folder)
        return self.git("rev-parse", "HEAD", folder=folder)

    def train(self, rate, message=None):
        """Change the rate, reproduce and commit."""
        self.write("params.yaml", f"rate: {rate}\n")
        with self.dvc() as repo:
            repo.reproduce()
        return self.commit(message or f"rate {rate}")

    def retrain(self, name, rate):
        """Leave a branch retrain/NAME that holds one training, and come back."""
        before = self.git("rev-parse", "--abbrev-ref", "HEAD")
        self.git("checkout", "--quiet", "-b", f"retrain/{name}")
        commit = self.train(rate, f"retrain/{name}: rejected")
        self.back_to(before)
        # A retraining commits in a checkout of its own, so that no reflog of the person's knows of it.
        self.git("reflog", "expire", "--expire=all", "HEAD")
        return commit

    def back_to(self, revision):
        self.git("checkout", "--quiet", revision)
        with self.dvc() as repo:
            repo.checkout(force=True)

    def stored(self, path, revision="HEAD"):
        """Where DVC's cache has what a file or folder was in a commit."""
        lock, tracked = (self.git("show", f"{revision}:{name}") for name in ("dvc.lock", "data/words.txt.dvc"))
        digest = re.search(rf"path: {path}\n\s+hash: md5\n\s+md5: (\S+)", lock) or re.search(r"md5: (\S+)", tracked)
        return self.folder / ".dvc/cache/files/md5" / digest[1][:2] / digest[1][2:]

    def damage(self, stored):
        stored.chmod(0o644)
        content = bytearray(stored.read_bytes())
        content[0] ^= 1
        stored.write_bytes(content)


@pytest.fixture(scope="session", autouse=True)
def nobodys_machine(tmp_path_factory):
    """No setting of whoever runs the tests has a say."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site-cache"))
        patch.setenv("PREFECT_HOME", str(home / "prefect"))
        for who in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{who}_NAME", "t")
            patch.setenv(f"GIT_{who}_EMAIL", "t@example.com")
        yield


@pytest.fixture(scope="module")
def prefect_server(nobodys_machine, prefect_home):
    """A real server with a database of its own.

    For no longer than a module: while it lives, a thread of Prefect's draws from Python's `random` now and then, from
    which Keras takes the first weights of a network.
    """
    with pytest.MonkeyPatch.context() as patch:
        home = prefect_home()
        (home / "prefect.db").rename(home / "prefect-test.db")
        # Where the harness looks for its database.
        patch.setattr("prefect.testing.utilities.mkdtemp", lambda: str(home))
        with prefect_test_harness(server_startup_timeout=90):
            yield


@pytest.fixture(scope="session")
def template(nobodys_machine, tmp_path_factory):
    small = Small(tmp_path_factory.mktemp("template") / "project")
    small.write("data/words.txt", "one\ntwo\n")
    # The repository's own: DVC passes over data in folders that are ignored.
    small.write(".gitignore", (Path(__file__).parents[2] / ".gitignore").read_text())
    small.write("dvc.yaml", "stages: {}\n")
    small.git("init", "--quiet", "--initial-branch=main")
    Repo.init(str(small.folder)).close()
    with small.dvc() as repo:
        repo.add(str(small.folder / "data/words.txt"))
    small.write("dvc.yaml", STAGES)
    small.train(1)
    return small


@pytest.fixture
def small(template, tmp_path):
    """A project of one's own, trained and committed."""
    shutil.copytree(template.folder, tmp_path / "project")
    return Small(tmp_path / "project")


@pytest.fixture
def shared(small):
    """The project with a git remote and a default DVC remote, both folders beside it."""
    small.git("init", "--quiet", "--bare", str(small.folder.parent / "origin.git"))
    small.git("remote", "add", "origin", str(small.folder.parent / "origin.git"))
    (small.folder.parent / "store").mkdir()
    with small.dvc() as repo, repo.config.edit("repo") as settings:
        settings["remote"]["store"] = {"url": str(small.folder.parent / "store")}
        settings["core"]["remote"] = "store"
    small.commit("remotes")
    return small


@contextmanager
def listening(status):
    """Give the address of a server that answers with a status, and what it was told."""
    told = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", told
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def webhook():
    return listening
