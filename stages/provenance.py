"""What made a model, told by hashes."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ("stages.prepare", "stages.validate", "stages.train", "stages.evaluate", "stages.report")
PACKAGES = ("resnet", "stages")


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def md5(path: Path) -> str:
    """Hash a file as DVC does; nothing secret hangs on it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def sha256_of_text(text: str) -> str:
    """Hash a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_code(files: Iterable[Path]) -> str:
    """Hash the lines that sha256sum prints for files of the project, named from its root."""
    return sha256_of_text("".join(f"{sha256(ROOT / path)}  {path}\n" for path in files))


def code_files() -> list[Path]:
    """List the project's own files that the five stages import, whether they import them at once or later.

    dvc.yaml lists them too, but DVC lets no stage read it.
    """
    found: set[Path] = set()
    waiting = set(STAGES)
    while waiting:
        module = waiting.pop()
        path = _file_of(module)
        if path is not None and path not in found:
            found.add(path)
            imports = _Imports()
            imports.visit(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            # A module runs its package first.
            waiting |= {name for name in imports.names if name.split(".")[0] in PACKAGES} | {module.rpartition(".")[0]}
    return sorted(found)


def _file_of(module: str) -> Path | None:
    path = Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py") if module else ():
        if (ROOT / candidate).is_file():
            return candidate
    return None


class _Imports(ast.NodeVisitor):
    """The modules that a file imports, and the names that it takes from them, which may be modules too."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)
