"""Whoever should know is told: by a real command, and by a real web server."""

import json
import logging
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect import flow

from pipeline.notification import notify
from pipeline.results import Metric, Result

RESULT = Result("promoted", ["better"], [], metrics=[Metric("evaluate.accuracy", 0.9, 0.8)], branch="retrain/x")
CONTENT = {
    "event": "promoted",
    "message": "better by far",
    "project": "project",
    "branch": "retrain/x",
    "metrics": [{"name": "evaluate.accuracy", "value": 0.9, "champion": 0.8}],
}


@contextmanager
def webhook(status):
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


def test_a_command_is_told_by_its_input_and_its_environment(small):
    small.write("tell it.sh", 'cat > told.json; echo "$1 $EVENT: $MESSAGE" > told.txt')
    notify("sh 'tell it.sh' team", "promoted", "better by far", small.found, RESULT)
    assert json.loads(small.read("told.json")) == CONTENT
    assert small.read("told.txt") == "team promoted: better by far\n"


def test_an_address_is_told_by_post(small):
    with webhook(200) as (address, told):
        notify(address, "promoted", "better by far", small.found, RESULT)
    assert told == [CONTENT]


def test_a_failure_is_told_without_a_result(small):
    with webhook(204) as (address, told):
        notify(address, "failed", "out of memory", small.found)
    assert told == [{"event": "failed", "message": "out of memory", "project": "project"}]


@pytest.mark.parametrize("nobody", [None, ""])
def test_where_nobody_is_to_be_told_nothing_happens(small, nobody):
    notify(nobody, "failed", "out of memory", small.found)


@pytest.mark.usefixtures("prefect_server")
def test_who_cannot_be_told_is_warned_of_and_the_run_goes_on(small, caplog):
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
