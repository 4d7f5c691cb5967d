import re

import pytest

import resnet
from resnet.__main__ import main


@pytest.fixture(scope="module")
def costs():
    return {name: resnet.describe(name) for name in resnet.names()}


def test_the_number_in_a_name_is_its_layer_count(costs):
    assert {name: cost.layers for name, cost in costs.items()} == {
        name: int(re.search(r"\d+", name)[0]) for name in resnet.names()
    }


@pytest.mark.parametrize(
    ("name", "millions"),
    {
        "resnet20": "0.27",
        "resnet32": "0.46",
        "resnet44": "0.66",
        "resnet56": "0.85",
        "resnet110": "1.7",
        "resnet1202": "19.4",
        "resnet18": "11.69",
        "resnet34": "21.80",
        "resnet164v2": "1.7",
        "resnet1001v2": "10.3",
    }.items(),
)
def test_parameters_equal_the_papers_to_the_printed_rounding(costs, name, millions):
    decimals = len(millions.split(".")[1])
    assert f"{costs[name].parameters / 1e6:.{decimals}f}" == millions


def test_resnet1001v2_without_its_normalisations_has_the_papers_10_2_million(costs):
    cost = costs["resnet1001v2"]
    scales_and_shifts = cost.stored - cost.parameters  # as many as there are running averages
    assert f"{(cost.parameters - scales_and_shifts) / 1e6:.1f}" == "10.2"


@pytest.mark.parametrize(
    ("name", "stored"),
    {
        "resnet50": 25_636_712,
        "resnet101": 44_707_176,
        "resnet152": 60_419_944,
        "resnet50v2": 25_613_800,
        "resnet101v2": 44_675_560,
        "resnet152v2": 60_380_648,
    }.items(),
)
def test_stored_parameters_equal_those_of_keras_applications(costs, name, stored):
    assert costs[name].stored == stored


@pytest.mark.parametrize(
    ("name", "billions"),
    {"resnet18": 1.8, "resnet34": 3.6, "resnet50": 3.8, "resnet101": 7.6, "resnet152": 11.3}.items(),
)
def test_multiply_adds_are_within_two_percent_of_the_papers(costs, name, billions):
    assert costs[name].multiply_adds / 1e9 == pytest.approx(billions, rel=0.02)


def test_plain_nets_have_the_layers_of_their_twins_and_no_parameter_more(costs):
    for name in resnet.names():
        if name.startswith("plain"):
            plain, residual = costs[name], costs[name.replace("plain", "resnet")]
            assert plain.layers == residual.layers
            # Option A costs nothing; option B's projections are all that separates the ImageNet twins.
            assert (plain.parameters == residual.parameters) == (resnet.variant(name).shortcut == "A")


def test_list_prints_every_architecture_with_its_cost(capsys):
    assert main(["list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "layers", "parameters", "stored", "multiply-adds", "paper"]
    table = {row.split()[0]: row.split()[1:] for row in rows}
    assert list(table) == resnet.names()
    assert table["resnet20"] == ["20", "269,722", "271,098", "40,551,040", "He", "et", "al.", "2015"]
    assert table["resnet1001v2"][:2] == ["1,001", "10,327,706"]
    assert table["resnet1001v2"][-1] == "2016"
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize(
    ("name", "side", "classes", "width"),
    [
        ("plain20", 8, 3, 1),
        ("resnet32", 32, 10, 1),
        ("resnet18", 32, 5, 0.25),
        ("resnet50v2", 64, 5, 1),
        ("resnet164v2", 8, 2, 2),
    ],
)
def test_a_description_counts_exactly_what_the_built_network_has(name, side, classes, width):
    model = resnet.create(name, input_shape=(side, side, 3), classes=classes, width=width)
    cost = resnet.describe(name, side, classes, width)
    assert cost.stored == model.count_params()
    assert cost.parameters == sum(weight.numpy().size for weight in model.trainable_weights)


def test_multiply_adds_of_the_smallest_network_equal_those_counted_by_hand():
    first_group = 32 * 32 * (27 * 16 + 6 * 144 * 16)
    second_group = 16 * 16 * (144 * 32 + 5 * 288 * 32)
    third_group = 8 * 8 * (288 * 64 + 5 * 576 * 64)
    assert resnet.describe("plain20").multiply_adds == first_group + second_group + third_group + 64 * 10
