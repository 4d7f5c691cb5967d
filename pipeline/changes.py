"""What differs between two sides: settings, files, data, images."""

from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from pipeline.git import git
from pipeline.project import PARAMS
from pipeline.sides import Side
from stages.splits import SPLITS

LOCK = "dvc.lock"
# An en dash, where there is no value.
NOTHING = "\u2013"
Row = dict[str, Any]


def settings(former: Side, new: Side) -> list[Row]:
    """The keys of params.yaml with other values: key, former, new."""
    return _differences(flat(former.yaml(PARAMS)), flat(new.yaml(PARAMS)))


def files(former: Side, new: Side) -> list[Row]:
    """The files in git that differ, results and settings aside: file, and lines added and removed (- where binary)."""
    results = {LOCK, PARAMS} | {entry["path"] for side in (former, new) for entry in _locked(side, "outs")}
    sides = [side.commit for side in (former, new) if side.commit is not None]
    listed = git(new.folder, "diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", *sides).split("\0")[:-1]
    rows = [dict(zip(("added", "removed", "file"), line.split("\t", 2), strict=True)) for line in listed]
    if new.commit is None:
        others = git(new.folder, "ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1]
        rows += [{"added": "not in git yet", "removed": "", "file": file} for file in others]
    return [row for row in rows if row["file"] not in results]


def data(former: Side, new: Side) -> list[Row]:
    """What DVC versions and differs, by the first digits of its hashes: key, former, new."""
    return _differences(_hashes(former), _hashes(new))


def images(former: pd.DataFrame, new: pd.DataFrame) -> list[Row]:
    """How many images came, went, or have another label or split, told apart by their content.

    Returns:
        A row a kind of change: what, all, and the images of each split (the new one, where there are two).
    """
    former, new = (manifest.dropna(subset="sha256") for manifest in (former, new))
    old, now = set(former["sha256"]), set(new["sha256"])
    kinds = [
        ("added", now - old, new),
        ("removed", old - now, former),
        ("relabelled", _moved(former, new, "label") & old & now, new),
        ("moved to another split", _moved(former, new, "split") & old & now, new),
        ("unchanged", (old & now) - _moved(former, new, "label") - _moved(former, new, "split"), new),
    ]
    return [{"what": what, "all": len(own), **_by_split(manifest, own)} for what, own, manifest in kinds]


def flat(mapping: dict[str, Any]) -> dict[str, Any]:
    """One level out of many: {"train": {"epochs": 3}} becomes {"train.epochs": 3}."""
    rows = pd.json_normalize(mapping).to_dict("records") if mapping else [{}]
    return {str(name): value for name, value in rows[0].items()}


def _differences(former: dict[str, Any], new: dict[str, Any]) -> list[Row]:
    return [
        {"key": key, "former": former.get(key, NOTHING), "new": new.get(key, NOTHING)}
        for key in {**new, **former}
        if (key in former, former.get(key)) != (key in new, new.get(key))
    ]


def _hashes(side: Side) -> dict[str, str]:
    tracked = side.tracked()
    added = {name: out for name in tracked if name.endswith(".dvc") for out in side.yaml(name).get("outs", [])[:1]}
    locked = {entry["path"]: entry for entry in _locked(side, "deps", "outs")}
    # What git has is among the files.
    in_git = set(tracked).union(*({str(folder) for folder in PurePosixPath(name).parents} for name in tracked))
    found = added | {path: entry for path, entry in locked.items() if path not in in_git}
    return {name: _hash(entry)[:12] for name, entry in found.items()}


def _hash(entry: Row) -> str:
    # What lies elsewhere has another kind of hash.
    return str(entry.get("md5") or entry.get("etag") or entry.get("checksum"))


def _locked(side: Side, *kinds: str) -> list[Row]:
    stages = side.yaml(LOCK).get("stages", {}).values()
    return [entry for stage in stages for kind in kinds for entry in stage.get(kind, [])]


def _moved(former: pd.DataFrame, new: pd.DataFrame, column: str) -> set[str]:
    """The images that do not have the same values on both sides; one image may be there several times."""
    values = [manifest[["sha256", column]].drop_duplicates() for manifest in (former, new)]
    merged = values[0].merge(values[1], how="outer", indicator=True)
    return set(merged.loc[merged["_merge"] != "both", "sha256"])


def _by_split(manifest: pd.DataFrame, images: set[str]) -> dict[str, int]:
    counts = manifest[manifest["sha256"].isin(images)].groupby("split")["sha256"].nunique()
    return {split: int(counts.get(split, 0)) for split in SPLITS}
