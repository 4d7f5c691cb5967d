import pytest
from ruamel.yaml import YAML

from benchmarks.time_to_accuracy import RECIPES, ROOT, summary, write_params
from stages import params


@pytest.mark.parametrize("recipe", sorted(file.stem for file in RECIPES.glob("*.yaml")))
def test_a_recipe_sets_what_params_yaml_knows_and_nothing_else_changes(recipe, tmp_path):
    write_params(recipe, 2, tmp_path / "photos", tmp_path / "params.yaml")
    found = params.load(tmp_path / "params.yaml")
    assert (found.seed, found.data.path) == (2, str(tmp_path / "photos"))
    yaml = YAML(typ="safe")
    written, own, set_by_it = (
        yaml.load(file) for file in (tmp_path / "params.yaml", ROOT / "params.yaml", RECIPES / f"{recipe}.yaml")
    )
    for section in ("model", "train"):
        assert written[section] == own[section] | set_by_it[section]
    assert written["data"] == own["data"] | set_by_it["data"] | {"path": str(tmp_path / "photos")}
    assert written["evaluate"] == own["evaluate"]


def test_the_readme_gives_the_recipe_of_fifteen_minutes_as_a_command():
    readme = (ROOT / "README.md").read_text()
    for section, values in YAML(typ="safe").load(RECIPES / "fifteen_minutes.yaml").items():
        for key, value in values.items():
            text = str(value).lower() if isinstance(value, bool) else value
            assert f"-S {section}.{key}={text}" in readme


def test_the_summary_of_a_recipe_is_the_mean_with_its_spread_and_the_longest_time():
    rows = [
        {"accuracy": accuracy, "minutes": minutes, "images": 900_000, "flops": 1.9e14}
        for accuracy, minutes in ((0.87, 14.0), (0.89, 15.5), (0.88, 14.5))
    ]
    expected = "paper: accuracy 0.8800 (0.8700 to 0.8900), 15.5 minutes at most, 900,000 images, 1.90e+14 FLOPs"
    assert summary("paper", rows) == expected
