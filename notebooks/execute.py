"""Run notebooks/resnet.ipynb from its first cell to its last and write it with its outputs.

Each cell keeps the hash of the source that gave its outputs, so that a cell edited since is found; nothing is kept
that tells when, where or how fast it was run.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("resnet.ipynb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(notebook: Any) -> None:
    """Run all cells in a fresh kernel, in place.

    Raises:
        CellExecutionError: A cell failed.
    """
    resources = {"metadata": {"path": NOTEBOOK.parent}}
    NotebookClient(notebook, timeout=600, startup_timeout=300, record_timing=False, resources=resources).execute()
    notebook.metadata = METADATA
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata["source_sha256"] = source_hash(cell)
            for output in cell.outputs:
                # Pillow gives every picture twice.
                output.get("data", {}).pop("image/jpeg", None)


def source_hash(cell: Any) -> str:
    """Hash what a cell says."""
    return hashlib.sha256(cell.source.encode()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=NOTEBOOK, help="where to write it (default: in place)")
    options = parser.parse_args()
    read = nbformat.read(NOTEBOOK, as_version=4)
    execute(read)
    nbformat.write(read, options.out)
