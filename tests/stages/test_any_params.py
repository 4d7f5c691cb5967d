"""Whatever stands in params.yaml, it is taken as it stands or refused in a sentence."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.errors import BadInput
from stages.params import load
from stages.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
LONGEST_SENTENCE = 5000
reproducibly = settings(derandomize=True, database=None, deadline=None, max_examples=60)

texts = st.text(st.characters(codec="utf-8"), max_size=300)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
real = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def places(section, within=()):
    """Every key, of sections and of values, as the way to it."""
    for key, value in section.items():
        yield (*within, key)
        if isinstance(value, dict):
            yield from places(value, (*within, key))


def changed(section, place, value):
    first, *rest = place
    return section | {first: changed(section[first], rest, value) if rest else value}


@pytest.fixture(scope="module")
def params_file(tmp_path_factory):
    return tmp_path_factory.mktemp("params") / "params.yaml"


def is_taken_or_refused(file):
    try:
        taken = load(file)
    except BadInput as refused:
        refusal = str(refused)
    else:
        refusal = ""
        assert taken.model_dump(by_alias=True) == read_yaml(file)
    assert len(refusal) < LONGEST_SENTENCE
    assert refusal.isprintable()


@reproducibly
@given(place=st.sampled_from(list(places(real))), value=values)
@example(place=("report", "title"), value="any text will do")
@example(place=("train",), value={})
@example(place=("train",), value={"\n": 0, "a" * 300: 0})
@example(place=("model", "name"), value="a\n" * 5000)
@example(place=("model", "weights"), value="\x85" * 5000)
def test_any_value_in_any_place_is_taken_as_it_stands_or_refused_in_a_sentence(params_file, place, value):
    YAML(typ="safe", pure=True).dump(changed(real, place, value), params_file)
    is_taken_or_refused(params_file)


@reproducibly
@given(st.binary(max_size=300) | texts.map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_refused_in_a_sentence(params_file, content):
    params_file.write_bytes(content)
    is_taken_or_refused(params_file)


@reproducibly
@given(start=st.integers(0, 3000), length=st.integers(0, 3000), inserted=st.binary(max_size=30))
def test_the_real_file_with_a_piece_of_it_replaced_is_taken_or_refused(params_file, start, length, inserted):
    content = (ROOT / "params.yaml").read_bytes()
    params_file.write_bytes(content[:start] + inserted + content[start + length :])
    is_taken_or_refused(params_file)
