import pytest
from ruamel.yaml import YAML

from benchmarks.time_to_accuracy import RECIPES, ROOT, settings, summary
from stages import params


def trainings(recipe):
    """What each training of a recipe sets."""
    return list(YAML(typ="safe").load_all(RECIPES / f"{recipe}.yaml"))


@pytest.mark.parametrize("recipe", sorted(file.stem for file in RECIPES.glob("*.yaml")))
def test_a_recipe_sets_what_params_yaml_knows_and_nothing_else_changes(recipe, tmp_path):
    expected = YAML(typ="safe").load(ROOT / "params.yaml")
    expected["seed"] = 2
    expected["data"]["path"] = "photos"
    found = settings(recipe, 2, "photos")
    assert len(found) == len(trainings(recipe))
    for own, changes in zip(found, trainings(recipe), strict=True):
        for section, values in changes.items():
            expected[section] |= values
        assert own == expected
        YAML().dump(own, tmp_path / "params.yaml")
        params.load(tmp_path / "params.yaml")


def test_the_readme_gives_the_recipe_of_fifteen_minutes_as_commands():
    readme = (ROOT / "README.md").read_text()
    for training in trainings("fifteen_minutes"):
        for section, values in training.items():
            for key, value in values.items():
                text = str(value).lower() if isinstance(value, bool) else value
                setting = f"{section}.{key}={text}"
                assert f"-S {setting}" in readme or f"-S '{setting}'" in readme


def test_the_summary_of_a_recipe_is_the_mean_with_its_spread_and_the_longest_time():
    rows = [
        {
            "accuracy": accuracy,
            "accuracy_of_one_view": accuracy - 0.01,
            "minutes": minutes,
            "images": 900_000,
            "flops": 1.9e14,
        }
        for accuracy, minutes in ((0.87, 14.0), (0.89, 15.5), (0.88, 14.5))
    ]
    assert summary("paper", rows) == (
        "paper: accuracy 0.8800 (0.8700 to 0.8900), accuracy of one view 0.8700 (0.8600 to 0.8800), "
        "15.5 minutes at most, 900,000 images, 1.90e+14 FLOPs"
    )
