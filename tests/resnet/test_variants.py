import re
import subprocess
import sys

import pytest

import resnet
from resnet.variants import VARIANTS


def test_the_families_of_both_papers_and_a_short_network_are_in_the_table():
    cifar = [f"{kind}{depth}" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56, 110, 1202)]
    imagenet = ["plain18", "plain34", *(f"resnet{depth}" for depth in (10, 18, 34, 50, 101, 152))]
    preactivation = [f"resnet{depth}v2" for depth in (50, 101, 152, 164, 200, 1001)]
    assert sorted(resnet.names()) == sorted(cifar + imagenet + preactivation)


@pytest.mark.parametrize("row", VARIANTS.values(), ids=VARIANTS)
def test_the_number_in_a_name_follows_from_the_blocks_of_its_row(row):
    layers_of_a_block = 3 if row.block in ("bottleneck", "preactivation") else 2
    assert int(re.search(r"\d+", row.name)[0]) == layers_of_a_block * sum(row.repeats) + 2


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith("plain")])
def test_a_plain_net_differs_from_its_residual_twin_in_nothing_but_the_block(name):
    plain, residual = resnet.variant(name), resnet.variant(name.replace("plain", "resnet"))
    assert (plain.repeats, plain.filters, plain.stem) == (residual.repeats, residual.filters, residual.stem)
    assert (plain.block, residual.block) == ("plain", "basic")


@pytest.mark.parametrize(
    ("misspelt", "meant"), [("resnet51", "resnet50"), ("ResNet-50", "resnet50"), ("resnet1001", "resnet1001v2")]
)
def test_an_unknown_name_is_answered_with_the_nearest_ones(misspelt, meant):
    with pytest.raises(ValueError, match=f"no architecture '{misspelt}'.* {meant}\\b"):
        resnet.variant(misspelt)


def test_a_name_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(ValueError, match=r"plain20.*resnet1001v2.*resnet200v2"):
        resnet.variant("@")


def test_reading_the_table_imports_no_keras():
    code = "import resnet, sys; resnet.names(); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_there_is_a_constructor_for_every_residual_network_in_the_habit_of_keras_applications():
    constructors = [name for name in dir(resnet) if name.startswith("ResNet")]
    assert len(constructors) == len([name for name in resnet.names() if name.startswith("resnet")])
    assert {"ResNet50", "ResNet152V2", "ResNet1202"} <= set(constructors)
    with pytest.raises(AttributeError, match="ResNet51"):
        _ = resnet.ResNet51
