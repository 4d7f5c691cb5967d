"""What all tests share: a Prefect server, a browser and Keras on JAX, all real, and the table of what tests counted."""

import gc
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright

from resnet import garbage

ROOT = Path(__file__).parents[1]
# TensorFlow tells of each GPU that it does not find.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=4, help="kills of dvc at random moments in tests/end_to_end/test_kill_sweep.py"
    )
    parser.addoption("--flow-kills", type=int, default=2, help="kills of a flow there")
    parser.addoption(
        "--flow-runs", type=int, default=3, help="flow runs in one process in tests/orchestration/test_long_life.py"
    )
    parser.addoption("--fuzz-inputs", type=int, default=1000, help="inputs of the fuzzer in tests/fuzz")
    parser.addoption("--epochs", type=int, default=10, help="epochs of the training in tests/resnet/test_long_life.py")


def pytest_configure():
    """Let all that the tests start hear Ctrl-C: background jobs of a shell ignore it, and hand that down."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    garbage.search_rarely()


def pytest_collection_modifyitems(items):
    """Begin with a file of many trainings, one of the last by name: a worker would be left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_train.py")


def pytest_terminal_summary(terminalreporter):
    """Print what tests counted with `record_property("counted", ...)`, in xdist's workers too."""
    reports = [report for status in ("passed", "failed") for report in terminalreporter.stats.get(status, [])]
    rows = [text for report in reports for name, text in getattr(report, "user_properties", []) if name == "counted"]
    if rows:
        terminalreporter.section("counted")
        table = [row.partition(": ")[::2] for row in rows]
        width = max(len(what) for what, _ in table)
        for what, figures in table:
            terminalreporter.write_line(f"{what:{width}}  {figures}")


def wait_for_truth(condition, seconds=60):
    """Ask until the answer is true, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        # What is waited for needs the processor, which asking takes as well.
        time.sleep(0.25)
    return found


@pytest.fixture
def wait_for():
    return wait_for_truth


@pytest.fixture
def python_under_jax():
    """Run Python in the project's folder with Keras on JAX, as on a machine that has no GPU, whatever this one has."""
    # XLA takes half as long over code that it does not polish.
    hasty = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax", "XLA_FLAGS": hasty}

    def run(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    return run


def growth_of(samples):
    """By what share the last third of samples lies above the one in the middle, by median; the first warms up."""
    assert len(samples) >= 3, f"growth shows in three samples or more; there are {len(samples)}"
    third = len(samples) // 3
    middle, last = statistics.median(samples[third : 2 * third]), statistics.median(samples[-third:])
    return last / middle - 1


@pytest.fixture
def growth():
    return growth_of


@pytest.fixture(scope="module", autouse=True)
def forget_networks():
    """Have Keras forget a module's networks: a worker would grow to gigabytes, and become slower all the while."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
        # What is left stays, libraries above all: the next search need not look at it.
        gc.freeze()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Let whichever of the workers comes first make a folder, and give each a copy of its own."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def give(name, make):
        original = shared / "made-once" / name
        with FileLock(shared / f"{name}.lock"):
            if not (original / "made").exists():
                # There may be what a worker left who could not make it.
                shutil.rmtree(original, ignore_errors=True)
                original.mkdir(parents=True)
                make(original)
                (original / "made").touch()
        own = tmp_path_factory.mktemp(name) / "copy"
        return shutil.copytree(original, own, symlinks=True)

    return give


@pytest.fixture(scope="session")
def prefect_home(made_once, tmp_path_factory):
    """Make a folder for PREFECT_HOME in which a server begins with what tables it needs.

    To make them one after another, as Prefect grew them, takes a server ten seconds.
    """

    def upgrade(folder):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
        environment = clean | {"PREFECT_HOME": str(folder), "DO_NOT_TRACK": "1"}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)

    def make():
        return shutil.copytree(upgraded, tmp_path_factory.mktemp("prefect") / "home")

    upgraded = made_once("prefect-home", upgrade)
    return make


@pytest.fixture(scope="session")
def nobodys_settings(tmp_path_factory, prefect_home):
    """An environment in which the settings of whoever runs the tests do not count."""
    folder = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return kept | {
        "HOME": str(folder),
        "PREFECT_HOME": str(prefect_home()),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "site-cache"),
        "DVC_NO_ANALYTICS": "1",
    }


@pytest.fixture(scope="session")
def prefect_server(nobodys_settings):
    """The address of a Prefect server of our own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=nobodys_settings, **silent) as process:
        url = f"http://127.0.0.1:{port}/api"

        def answers():
            try:
                return httpx.get(f"{url}/health").is_success
            except httpx.HTTPError:
                return False

        try:
            wait_for_truth(answers, 120)
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def chromium():
    """Chromium as the system has it, started without any way out to a network."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed here (apt-get install chromium): nothing was looked at in a browser")
    with sync_playwright() as driver:
        closed = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        browser = driver.chromium.launch(executable_path=program, args=closed)
        yield browser
        browser.close()


class Opened:
    """A page that was opened from disk, with all that it said and asked for."""

    def __init__(self, browser, file, width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = context.new_page()
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.absolute().as_uri())
        self.page.wait_for_load_state("networkidle")
        self.asked = [url for url in self.requests[1:] if not url.startswith("data:")]

    def ask(self, script):
        return self.page.evaluate(script)


@pytest.fixture
def open_page(chromium):
    """Open a file as a person does: phone 390 pixels, desktop 1280."""
    opened = []

    def open_file(file, width=1280, scheme="light"):
        opened.append(Opened(chromium, file, width, scheme))
        return opened[-1]

    yield open_file
    for one in opened:
        one.page.context.close()


@pytest.fixture
def keep_screenshot(request):
    """Keep a picture of a page in logs/screenshots, for a person to look at."""

    def keep(opened, name):
        folder = request.config.rootpath / "logs/screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        opened.page.screenshot(path=folder / f"{name}.png", full_page=True)

    return keep
