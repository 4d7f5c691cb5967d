"""What the flows decide before and after their stages, and what they show meanwhile."""

import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect import flow, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from pipeline import registry, retraining
from pipeline.flow import say_and_show_progress
from pipeline.gate import Verdict
from pipeline.notification import notify


@pytest.mark.usefixtures("prefect_server")
def test_a_verdict_is_against_whoever_is_the_champion_when_it_is_spoken(small, monkeypatch):
    first = registry.promote(small.folder, "main")
    second = small.train(2)
    against = []

    def judge(folder, held):
        """As the gate does, but that a person has their say at the first time, while it measures."""
        champion = registry.champion(folder)
        against.append(champion.commit)
        if len(against) == 1:
            registry.promote(folder, second)
        return Verdict("promoted", []).with_numbers(champion_commit=champion.commit)

    monkeypatch.setattr(retraining, "judge", judge)

    @flow
    def judged():
        return retraining._judged(small.found, small.folder, 0).numbers["champion_commit"]

    assert judged() == second
    assert against == [first.commit, second]


@pytest.mark.usefixtures("prefect_server")
def test_the_progress_of_a_stage_of_any_name_is_drawn():
    @flow
    def training():
        handle = say_and_show_progress(print, "Models/dvc.yaml:train_big")
        for line in ("Epoch 1/4", "Epoch 3/4"):
            handle(line)

    training()
    wanted = {"artifacts": {"key": {"any_": ["progress-models-dvc-yaml-train-big"]}}}
    with get_client(sync_client=True) as client:
        (drawn,) = client.request("POST", "/artifacts/filter", json=wanted).json()
    assert drawn["data"] == 50.0


# In a run Prefect has a client of its own, whose server cannot be taken away.
@pytest.mark.filterwarnings("ignore:Artifact creation outside of a flow or task run:FutureWarning")
def test_a_server_that_is_away_ends_no_stage():
    said = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/api"

    def show():
        with temporary_settings({PREFECT_API_URL: nobody}):
            say_and_show_progress(said.append, "train")("Epoch 1/4")

    # In a thread of its own: beside an event loop, such as a browser's in another test, Prefect gives a promise and
    # asks nobody.
    with ThreadPoolExecutor(1) as threads:
        threads.submit(show).result()
    assert said[0] == "Epoch 1/4"
    assert said[1].startswith("the progress of train could not be drawn: ")


@pytest.mark.usefixtures("prefect_server")
def test_who_cannot_be_told_is_warned_of_and_the_run_goes_on(small, webhook, caplog):
    caplog.set_level(logging.WARNING)
    with webhook(500) as (broken, told):
        ways = [broken, "http://127.0.0.1:1/", "http://[", "http://127.0.0.1:99999/"]
        ways += ["nobody-has-this-command", "false", "sh 'unbalanced"]

        @flow
        def run():
            for whom in ways:
                notify(whom, "failed", "out of memory", small.found)
            return "went on"

        assert run() == "went on"
    assert len(told) == 1
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.partition(" could not be told that the run was failed: ")[0] for message in warned] == ways
