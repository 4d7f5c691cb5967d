"""What Prefect's server is told of a project."""

from pathlib import Path

from pipeline.server import deployment_name


def test_two_projects_whose_folders_have_one_name_have_a_deployment_each():
    one, other = Path("/home/ann/digits"), Path("/home/ben/digits")
    assert deployment_name(one) == deployment_name(one) != deployment_name(other)
    assert deployment_name(one).startswith("digits-")
