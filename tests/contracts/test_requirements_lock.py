"""requirements.lock is what pyproject.toml asks for, whole and without the address of an index."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]


def locked_versions(name):
    found = re.findall(rf"^{re.escape(name)}==([^ ;\\]+)", LOCK, flags=re.MULTILINE)
    return [Version(version) for version in found]


@pytest.mark.parametrize(
    "requirement", [Requirement(line) for line in REQUIREMENTS], ids=lambda requirement: requirement.name
)
def test_every_requirement_is_locked_at_a_version_that_fits(requirement):
    versions = locked_versions(requirement.name)
    assert versions
    assert all(version in requirement.specifier for version in versions)


def test_no_pair_of_versions_that_is_known_to_be_broken_is_locked():
    # Prefect 3.8.8 dies of fastapi 0.155, and silently schedules nothing with sqlalchemy 2.1.
    assert locked_versions("prefect") == [Version("3.8.8")]
    assert max(locked_versions("fastapi")) < Version("0.151")
    assert max(locked_versions("sqlalchemy")) < Version("2.1")


def test_every_package_is_pinned_by_hash_and_no_index_is_named():
    packages = [line for line in LOCK.splitlines() if re.match(r"[a-z0-9]", line)]
    assert all("==" in line and line.endswith("\\") for line in packages)
    assert "://" not in LOCK
    assert "--index" not in LOCK
