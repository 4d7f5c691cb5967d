"""Stage 1: raw images become arrays of one size and a manifest that has a row for each.

Reads what data.path names; writes data/prepared/ and data/manifest.parquet.
"""

from stages import arguments

if __name__ == "__main__":
    arguments.read(__doc__)

import json
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from stages import command
from stages.errors import BadInput
from stages.measure import measure
from stages.npy import NpyWriter
from stages.outputs import replacing
from stages.params import DataParams, Params
from stages.prepared import MANIFEST, PREPARED, images_file, labels_file, note_manifest
from stages.runlog import timed
from stages.sources.descriptor import read_descriptor
from stages.sources.folder import read_folder
from stages.sources.manifest import read_manifest
from stages.sources.source import UNDRAWABLE, Entry
from stages.splits import SPLITS, TEST, TRAIN, VALIDATION, place

CHUNK_BYTES = 2_000_000
COLUMNS = {
    "path": "string",
    "label": "string",
    "split": "string",
    "group": "string",
    "width": "Int32",
    "height": "Int32",
    "channels": "Int8",
    "format": "string",
    "bytes": "int64",
    "sha256": "string",
    "perceptual_hash": "string",
    "mean_color": "string",
    "mean": "float64",
    "std": "float64",
    "error": "string",
}
log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Prepare the images that params.data names."""
    with timed("prepare"):
        prepare(params.data, params.seed, PREPARED, MANIFEST)


def prepare(data: DataParams, seed: int, prepared: Path, manifest: Path) -> None:
    """Write the arrays and the manifest.

    Raises:
        BadInput: What data.path names cannot be trained on; former outputs stay as they are.
    """
    entries = read_source(Path(data.path), Path(data.root))
    data = with_drawn_shares(data, entries)
    classes = check_entries(entries, data)
    with replacing(prepared) as folder, replacing(manifest) as table:
        folder.mkdir()
        (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False) + "\n", encoding="utf-8")
        rows = write_arrays(entries, classes, data, seed, folder)
        check_rows(rows, classes)
        rows.to_parquet(table, index=False)
        note_manifest(table, folder)
    log_result(rows, classes)
    if data.validation_fraction and not (rows["split"] == VALIDATION).any():
        log.warning("no image is in the validation split; raise data.validation_fraction or add images")


def read_source(path: Path, root: Path) -> list[Entry]:
    """List the raw images that a path names: a folder, a manifest or a descriptor."""
    if os.path.isdir(path):
        return read_folder(path)
    if not os.path.isfile(path):
        raise BadInput(
            f"data.path is {path}, which does not exist; expected a folder of class folders, a .csv or .parquet "
            "manifest, or a descriptor such as datasets/digits.yaml"
        )
    match path.suffix.lower():
        case ".csv" | ".parquet":
            return read_manifest(path, root)
        case ".yaml" | ".yml":
            return read_descriptor(path)
    raise BadInput(f"data.path is {path}; expected a folder, a .csv or .parquet manifest, or a .yaml descriptor")


def with_drawn_shares(data: DataParams, entries: list[Entry]) -> DataParams:
    """Draw nothing for validation where the source names images for that."""
    given = any(entry.split == VALIDATION for entry in entries)
    return data.model_copy(update={"validation_fraction": 0.0}) if given else data


def check_entries(entries: list[Entry], data: DataParams) -> list[str]:
    """Refuse, before anything is decoded, what could never be trained on; return the classes in order."""
    classes = sorted({entry.label for entry in entries})
    if len(classes) < 2:
        found = f"only the class {classes[0]!r}" if classes else "no class"
        raise BadInput(f"{data.path} has {found}; a classifier needs two folders or labels with images at least")
    if undrawable := [name for name in classes if UNDRAWABLE.search(name)]:
        raise BadInput(f"the class {undrawable[0]!r} of {data.path} has a control character in its name; rename it")
    labels = pd.Series([entry.label for entry in entries])
    given = pd.Series([entry.split or "" for entry in entries])
    lacks_test = not (given == TEST).any()
    if lacks_test and not data.test_fraction:
        raise BadInput(f"{data.path} has no test images, and data.test_fraction is 0; raise it, or give a test split")
    if lacks_test and not (given == "").any():
        raise BadInput(f"{data.path} gives each image a split, and none is test; make some test, or leave it empty")
    groups = pd.Series([entry.group for entry in entries], dtype=object).dropna()
    splits = given[groups.index].groupby(groups).nunique()
    if (splits > 1).any():
        raise BadInput(f"the group {splits.idxmax()!r} of {data.path} is given several splits; it must have one")
    unseen = sorted(set(labels[given == TEST]) - set(labels[given != TEST]))
    if unseen:
        raise BadInput(f"{data.path} has the label {unseen[0]!r} in test but not in train; a model cannot know it")
    drawn = 1 + lacks_test + bool(data.validation_fraction)
    counts = labels[given.isin(["", TRAIN])].value_counts().reindex(classes, fill_value=0)
    if counts.min() < drawn:
        scarce = str(counts.idxmin())
        raise BadInput(
            f"the class {scarce!r} of {data.path} has {counts.min()} images to share among {drawn} splits; "
            "add images of it, or remove the class"
        )
    return classes


def write_arrays(entries: list[Entry], classes: list[str], data: DataParams, seed: int, folder: Path) -> pd.DataFrame:
    """Decode on all cores, chunk by chunk, and write each image to its split's array; return the manifest."""
    numbers = {name: number for number, name in enumerate(classes)}
    labels: dict[str, list[int]] = {split: [] for split in SPLITS}
    # What the manifest measures itself takes the place of what a source says.
    further = sorted({name for entry in entries for name in entry.properties} - set(COLUMNS))
    tables = []
    with ExitStack() as stack:
        shape = (data.image_size, data.image_size, 3)
        writers = {
            split: stack.enter_context(NpyWriter(images_file(folder, split), shape, np.uint8)) for split in SPLITS
        }
        for chunk, rows, pixels in measured(entries, data.image_size):
            splits = [
                None if row["error"] else choose_split(entry, row["sha256"], seed, data)
                for entry, row in zip(chunk, rows, strict=True)
            ]
            written = [split for split in splits if split]
            for split in SPLITS:
                writers[split].append(pixels[[other == split for other in written]])
                labels[split] += [
                    numbers[entry.label] for entry, its in zip(chunk, splits, strict=True) if its == split
                ]
            described = [
                {**entry.properties, "path": entry.path, "label": entry.label, "split": split, "group": entry.group}
                | row
                for entry, split, row in zip(chunk, splits, rows, strict=True)
            ]
            tables.append(pd.DataFrame(described, columns=[*COLUMNS, *further], dtype=object))
    for split in SPLITS:
        np.save(labels_file(folder, split), np.array(labels[split], np.int64))
    return pd.concat(tables, ignore_index=True).astype(COLUMNS).infer_objects()


def measured(entries: list[Entry], size: int) -> Iterator[tuple[list[Entry], list[dict[str, Any]], NDArray[np.uint8]]]:
    """Yield chunk after chunk of entries, their rows and their pixels, in order."""
    length = max(1, CHUNK_BYTES // (3 * size * size))
    chunks = [entries[start : start + length] for start in range(0, len(entries), length)]
    # Another process takes a second to start: a few chunks are sooner done without.
    workers = Parallel(min(cpu_count(), 1 + len(chunks) // 4), return_as="generator", pre_dispatch="3*n_jobs")
    results = workers(delayed(measure)([entry.image for entry in chunk], size) for chunk in chunks)
    with tqdm(total=len(entries), unit=" images", disable=None, desc="prepare") as progress:
        for chunk, (rows, pixels) in zip(chunks, results, strict=True):
            yield chunk, rows, pixels
            progress.update(len(chunk))


def choose_split(entry: Entry, sha256: str, seed: int, data: DataParams) -> str:
    """Keep a split that is given; draw validation from train, and everything where nothing is given."""
    key = f"group\0{entry.group}" if entry.group else f"image\0{entry.label}\0{sha256}"
    if entry.split is None:
        return place(seed, key, data.validation_fraction, data.test_fraction)
    return place(seed, key, data.validation_fraction, 0.0) if entry.split == TRAIN else entry.split


def check_rows(rows: pd.DataFrame, classes: list[str]) -> None:
    """Refuse what decoding showed to be untrainable."""
    good = rows[rows["error"].isna()]
    if good.empty:
        shown = "; ".join(f"{row.path}: {row.error}" for row in rows.head(3).itertuples())
        raise BadInput(f"none of the {len(rows):,} images can be decoded ({shown})")
    unseen = sorted(set(classes) - set(good.loc[good["split"] == TRAIN, "label"]))
    if unseen:
        raise BadInput(f"the class {unseen[0]!r} has no readable image in the training split; add images of it")
    if not (good["split"] == TEST).any():
        raise BadInput("no image is in the test split; raise data.test_fraction or add images")


def log_result(rows: pd.DataFrame, classes: list[str]) -> None:
    """Say what was made, and what could not be."""
    counts = rows["split"].value_counts()
    log.info(
        "%s images of %d classes: %s",
        f"{len(rows):,}",
        len(classes),
        ", ".join(f"{counts.get(split, 0):,} {split}" for split in SPLITS),
    )
    broken = rows[rows["error"].notna()]
    if len(broken):
        shown = "; ".join(f"{row.path}: {row.error}" for row in broken.head(3).itertuples())
        log.warning("%s could not be decoded and are left out: %s", f"{len(broken):,}", shown)


if __name__ == "__main__":
    command.main(run, arguments.read(__doc__).params)
