"""Whoever should know is told: by a real command, and by a real web server."""

import json

import pytest

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


def test_a_command_is_told_by_its_input_and_its_environment(small):
    small.write("tell it.sh", 'cat > told.json; echo "$1 $EVENT: $MESSAGE" > told.txt')
    notify("sh 'tell it.sh' team", "promoted", "better by far", small.found, RESULT)
    assert json.loads(small.read("told.json")) == CONTENT
    assert small.read("told.txt") == "team promoted: better by far\n"


def test_an_address_is_told_by_post(small, webhook):
    with webhook(200) as (address, told):
        notify(address, "promoted", "better by far", small.found, RESULT)
    assert told == [CONTENT]


def test_a_failure_is_told_without_a_result(small, webhook):
    with webhook(204) as (address, told):
        notify(address, "failed", "out of memory", small.found)
    assert told == [{"event": "failed", "message": "out of memory", "project": "project"}]


@pytest.mark.parametrize("nobody", [None, ""])
def test_where_nobody_is_to_be_told_nothing_happens(small, nobody):
    notify(nobody, "failed", "out of memory", small.found)
