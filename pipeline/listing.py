"""The versions of the model as a table."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline import dvc, registry
from pipeline.errors import PipelineError
from pipeline.project import EVALUATION

SHOWN = ("accuracy", "loss", "macro_f1", "ece")


def print_models(folder: Path) -> None:
    """Print every version with its metrics, the newest first; the champion is marked."""
    champion = registry.champion(folder)
    table = Table("version", "champion", "commit", "registered", *SHOWN, box=None)
    versions = registry.versions(folder)
    for version in versions:
        measured = _metrics(folder, version)
        table.add_row(
            str(version),
            "champion" if version == champion else "",
            version.commit[:12],
            f"{version.registered:%Y-%m-%d %H:%M}",
            *(f"{measured[name]:.4f}" if name in measured else "?" for name in SHOWN),
        )
    if versions:
        Console(highlight=False, width=120).print(table)
    else:
        Console(highlight=False).print(f"no version yet; {registry.FIRST}", soft_wrap=True)


def _metrics(folder: Path, version: registry.Version) -> dict[str, float]:
    try:
        found: dict[str, float] = dvc.metrics(folder, version.commit).get(EVALUATION, {})
    except PipelineError:
        return {}
    return found
