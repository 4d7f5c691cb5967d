"""Proving that what is committed, what DVC has stored, and what lies in the workspace are one."""

import shlex
from contextlib import suppress
from dataclasses import dataclass

from dvc.repo import Repo
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from pipeline import branches, dvc, registry
from pipeline.git import commit_of, git
from pipeline.project import Project


@dataclass(frozen=True)
class Finding:
    """Something that is not as dvc.lock says, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def verify(project: Project) -> list[Finding]:
    """Check the workspace against its commit, and what is stored for it, for versions and for retrainings."""
    # What is stored first: DVC's status removes from its cache what it finds damaged there.
    kept = _kept(project)
    stored = [*_missing(project), *_damaged(project, kept)]
    return [*_uncommitted(project), *stored, *_stale(project), *_incomplete(project, kept)]


def _uncommitted(project: Project) -> list[Finding]:
    kept = ("dvc.lock", "dvc.yaml", "params.yaml", "*.dvc")
    # Names as they are, and not as git would quote them for people.
    changed = git(project.folder, "status", "--porcelain", "-z", "--no-renames", "--", *kept)
    names = [entry[3:] for entry in changed.split("\0") if entry]
    return [
        Finding(f"{name} is not as committed", f"git diff {shlex.quote(name)}, then commit it or git checkout it")
        for name in names
    ]


def _stale(project: Project) -> list[Finding]:
    stages = dvc.graph(project.folder)
    status = dvc.status(project.folder)
    return [
        Finding(f"{name}: {_in_words(status[name])}", "dvc repro, or dvc checkout to have the recorded state back")
        for name in dvc.in_order(stages)
        if name in status
    ]


def _in_words(status: list[object]) -> str:
    words = []
    for entry in status:
        if isinstance(entry, str):
            words.append(entry)
        elif isinstance(entry, dict):
            words += [f"{kind}: {', '.join(map(str, paths))}" for kind, paths in entry.items()]
    return "; ".join(words)


def _missing(project: Project) -> list[Finding]:
    """Look for every object that the workspace's dvc.lock names."""
    with dvc.repository(project.folder) as repo:
        cache = repo.cache.local
        return [
            Finding(f"{path} ({hashed.value}) is not in DVC's cache", "dvc fetch, or dvc repro")
            for path, hashed in sorted(_objects(repo).items())
            if not cache.exists(hashed.value)
        ]


def _damaged(project: Project, kept: dict[str, str]) -> list[Finding]:
    """Read every object that the workspace, a version or a retraining names, and compare it with its hash."""
    findings: list[Finding] = []
    sound: dict[str, bool] = {}
    for name, revision in [(None, None), *kept.items()]:
        with dvc.repository(project.folder, revision) as repo:
            cache, known = repo.cache.local, set(sound)
            for path, hashed in sorted(_objects(repo).items()):
                stored = cache.oid_to_path(hashed.value)
                if hashed.value in known or not cache.exists(hashed.value):
                    continue
                if hashed.value not in sound:
                    read = hash_file(stored, cache.fs, hashed.name)[1]
                    sound[hashed.value] = read.value == hashed.value.removesuffix(".dir")
                if not sound[hashed.value]:
                    whose = f"{path} of {name}" if name else path
                    findings.append(
                        Finding(
                            f"{whose} is damaged in DVC's cache, at {stored}",
                            "delete that file, then dvc fetch or dvc repro",
                        )
                    )
    return findings


def _objects(repo: Repo) -> dict[str, HashInfo]:
    """Every file and folder that is stored for a commit or a workspace, by path."""
    found: dict[str, HashInfo] = {}
    for stage in repo.index.stages:
        for out in stage.outs:
            if not out.use_cache or not out.hash_info:
                continue
            found[str(out)] = out.hash_info
            if out.hash_info.isdir and repo.cache.local.exists(out.hash_info.value):
                # What is in a folder whose list is damaged cannot be told; that it is damaged, its hash tells.
                with suppress(ObjectFormatError):
                    tree = Tree.load(repo.cache.local, out.hash_info)
                    found |= {f"{out}/{'/'.join(key)}": entry for key, (_, entry) in tree.iteritems()}
    return found


def _incomplete(project: Project, kept: dict[str, str]) -> list[Finding]:
    """Look for what versions and retrainings have lost, as by a `dvc gc` that did not know of them."""
    findings = []
    for name, commit in kept.items():
        with dvc.repository(project.folder, commit) as repo:
            cache = repo.cache.local
            lost = [path for path, hashed in _objects(repo).items() if not cache.exists(hashed.value)]
        if lost:
            what = f"{name} has lost {len(lost)} of its files from DVC's cache, such as {sorted(lost)[0]}"
            findings.append(Finding(what, f"dvc fetch (git checkout {name} first), or make it anew: dvc repro"))
    return findings


def _kept(project: Project) -> dict[str, str]:
    named = {str(version): version.commit for version in registry.versions(project.main)}
    return named | {branch: commit_of(project.main, branch) for branch in branches.names(project.main)}
