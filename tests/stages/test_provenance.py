import subprocess
from pathlib import Path

from stages.provenance import ROOT, code_files, sha256_of_code


def test_the_code_is_hashed_as_a_person_can_do_it_with_sha256sum():
    names = [str(path) for path in code_files()]
    command = ["sh", "-c", 'sha256sum "$@" | sha256sum', "-", *names]
    assert sha256_of_code(code_files()) == subprocess.check_output(command, cwd=ROOT, text=True).split()[0]


def test_the_code_holds_what_is_imported_late_and_not_what_only_types_name():
    assert {Path("stages/train.py"), Path("resnet/training.py"), Path("resnet/__init__.py")} <= set(code_files())
    assert not {Path("resnet/__main__.py"), Path("resnet/complexity.py")} & set(code_files())
