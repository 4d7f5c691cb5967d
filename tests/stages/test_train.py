from pathlib import Path

import pandas as pd
import pytest

from stages.params import load
from stages.train import summary

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "loss": [4.0, 3.0, 2.0, 1.0],
        "val_accuracy": [0.5, 0.9, 0.9, 0.9],
        "val_loss": [0.1, 0.4, 0.2, 0.2],
        "learning_rate": [0.1, 0.1, 0.1, 0.1],
    }
)


@pytest.mark.parametrize(("keep", "epoch"), [("last", 4), ("best", 3)])
def test_the_metrics_are_those_of_the_epoch_that_was_kept(keep, epoch):
    settings = load(Path(__file__).parents[2] / "params.yaml").train.model_copy(update={"keep": keep})
    found = summary(HISTORY, settings, parameters=7)
    assert (found["epochs"], found["kept_epoch"], found["parameters"]) == (4, epoch, 7)
    assert found["loss"] == HISTORY["loss"][epoch - 1]
    assert "learning_rate" not in found
