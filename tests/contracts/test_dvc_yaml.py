"""dvc.yaml names all that a stage's code imports and reads: DVC does not look for itself."""

import ast
import re
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

from stages.provenance import code_files

ROOT = Path(__file__).parents[2]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("resnet", "stages", exclude_type_checking_imports=True, cache_dir=None)


def imported_files(graph, module):
    """The files of a module, of all it imports, and of the packages that these run on the way."""
    found, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= graph.find_modules_directly_imported_by(name)
            waiting |= {name.rpartition(".")[0]} - {""}
    return {file_of(name) for name in found}


def file_of(module):
    path = Path(*module.split("."))
    return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))


def code(stage):
    return {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"report"}))
def test_a_stage_depends_on_exactly_the_code_that_it_imports(graph, stage):
    assert code(stage) == imported_files(graph, f"stages.{stage}")


def test_the_report_depends_on_all_code_since_the_model_card_has_its_hash(graph):
    others = set().union(*(code(stage) for stage in STAGES if stage != "report"))
    assert code("report") == imported_files(graph, "stages.report") | others
    assert code("report") == {str(path) for path in code_files()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_params_that_it_uses(stage):
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    used = {
        node.attr.rstrip("_")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params"
    }
    if "model_dump" in used:
        used = set(YAML(typ="safe").load(ROOT / "params.yaml"))
    assert used == {name.partition(".")[0] for name in STAGES[stage]["params"]}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_templates_that_it_fills(stage):
    templates = ROOT / "stages/templates"
    used = set(re.findall(r'pages\.render\("([^"]+)"', (ROOT / f"stages/{stage}.py").read_text()))
    waiting = set(used)
    while waiting:
        named = set(re.findall(r'{% (?:extends|from|include) "([^"]+)"', (templates / waiting.pop()).read_text()))
        waiting |= named - used
        used |= named
    assert {f"stages/templates/{name}" for name in used} == {
        dep for dep in STAGES[stage]["deps"] if dep.startswith("stages/templates/")
    }


def test_every_stage_runs_as_its_module_and_in_no_other_way():
    assert {name: stage["cmd"] for name, stage in STAGES.items()} == {
        name: f"python -m stages.{name}" for name in ("prepare", "validate", "train", "evaluate", "report")
    }


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"report"}))
def test_no_output_keeps_a_stage_out_of_the_run_cache(stage):
    # DVC leaves a stage out if an output is persistent, or uncached and neither metric nor plot.
    assert all(isinstance(out, str) for out in STAGES[stage]["outs"])


def test_all_small_results_are_kept_in_git():
    small = [out for stage in STAGES.values() for kind in ("metrics", "plots") for out in stage.get(kind, [])]
    assert small
    assert all(settings == {"cache": False} for out in small for settings in out.values())
