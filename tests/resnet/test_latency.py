import json
import time

import numpy as np
import pytest
from scipy import stats

import resnet
from resnet import latency
from resnet.__main__ import main
from resnet.commands.time_models import measure

# Of Keras, when it writes a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("time")
    for name in ("plain20", "resnet50"):
        resnet.save(tiny(name), folder / f"{name}.keras")
    (folder / "broken.keras").write_text("no model")
    return folder


def test_every_round_calls_each_thing_once_in_changing_order():
    called = []
    times = latency.time_rounds([lambda: called.append("a"), lambda: called.append("b")], seconds=0)
    assert times.shape == (latency.LEAST_ROUNDS, 2)
    assert "".join(called[-2 * latency.LEAST_ROUNDS :]) == "abba" * (latency.LEAST_ROUNDS // 2)
    assert times.min() >= 0


def test_times_are_milliseconds():
    assert 20 <= np.median(latency.time_rounds([lambda: time.sleep(0.02)], seconds=0)) < 2000


def test_the_ratio_is_the_median_of_pairs_within_an_interval_that_hardly_ever_misses_it():
    draw = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        # The machine's own pace doubles half-way, which would ruin a ratio of two means.
        pace = np.repeat([1.0, 2.0], 10)
        first, second = (pace * draw.lognormal(0, 0.1, 20) for _ in range(2))
        ratio = latency.paired_ratio(1.5 * first, second)
        assert ratio.low <= ratio.median <= ratio.high
        missed += not ratio.low <= 1.5 <= ratio.high
    assert missed / 400 < 0.07


@pytest.mark.parametrize("rounds", [6, 8, 11, 16, 20, 26, 31, 100, 5000])
def test_the_interval_is_the_narrowest_of_order_statistics_that_has_the_median_in_95_of_100_cases(rounds):
    ratio = latency.paired_ratio(np.arange(rounds, dtype=float), np.ones(rounds))
    outside = int(ratio.low)
    assert ratio.high == rounds - 1 - outside
    assert 2 * stats.binom.cdf(outside, rounds, 0.5) <= 0.05 < 2 * stats.binom.cdf(outside + 1, rounds, 0.5)


def test_time_prints_one_json_object_with_the_paired_ratio(models, capsys):
    arguments = ["--model", f"{models}/resnet50.keras", "--against", f"{models}/plain20.keras"]
    assert main(["time", *arguments, "--seconds", "0.2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"milliseconds", "against_milliseconds", "ratio", "ratio_low", "ratio_high", "rounds"} <= set(found)
    assert 0 < found["ratio_low"] <= found["ratio"] <= found["ratio_high"]
    assert found["rounds"] >= latency.LEAST_ROUNDS


def test_the_ratio_is_how_many_times_as_long_the_first_model_takes(models, monkeypatch):
    given = {1: [7.0], 2: [30.0, 10.0]}
    monkeypatch.setattr(latency, "time_rounds", lambda calls, _: np.array(8 * [given[len(calls)]]))
    found = measure(models / "resnet50.keras", models / "plain20.keras", 1)
    assert (found["milliseconds"], found["against_milliseconds"], found["milliseconds_alone"]) == (30, 10, 7)
    assert (found["ratio_low"], found["ratio"], found["ratio_high"]) == (3, 3, 3)


def test_time_of_one_model_has_no_ratio(models, capsys):
    assert main(["time", "--model", f"{models}/plain20.keras", "--seconds", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["milliseconds"] > 0
    assert not [name for name in found if "ratio" in name or "against" in name]


def test_time_says_in_words_which_of_two_models_takes_longer(models, capsys):
    arguments = ["--model", f"{models}/plain20.keras", "--against", f"{models}/plain20.keras"]
    assert main(["time", *arguments, "--seconds", "0.1"]) == 0
    first, second, ratio = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{models}/plain20.keras  ")
    assert second.startswith(f"{models}/plain20.keras  ")
    assert "times as long as the second (95 % interval" in ratio


@pytest.mark.parametrize("bad", ["broken.keras", "missing.keras"])
def test_time_refuses_what_is_no_model_and_prints_no_object(models, bad, capsys):
    arguments = ["--model", f"{models}/plain20.keras", "--against", f"{models}/{bad}"]
    assert main(["time", *arguments, "--json"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert bad in err
