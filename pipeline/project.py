"""Where a project is, and where its checkouts meet."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import GitFailed, PipelineError
from pipeline.git import git
from stages.errors import BadInput
from stages.params import Params, load

PARAMS = "params.yaml"
EVALUATION = "metrics/evaluate.json"
# As retrainings name their branches and the folders of their logs.
RETRAININGS = "retrain"


@dataclass(frozen=True)
class Project:
    """A checkout with a pipeline in it, and the main checkout of its repository (often the same)."""

    folder: Path
    main: Path

    @property
    def state(self) -> Path:
        """What belongs to this machine alone: locks, checkouts, checkpoints."""
        return self.main / ".dvc" / "tmp"

    @property
    def logs(self) -> Path:
        """What is kept for people and never versioned."""
        return self.main / "logs"


def find(start: Path) -> Project:
    """Find the project that a folder is in.

    Raises:
        PipelineError: The folder is not in one.
    """
    if not start.is_dir():
        raise PipelineError(f"there is no folder {start}; name the project's folder")
    try:
        folder = Path(git(start, "rev-parse", "--show-toplevel"))
        own, common = git(start, "rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir").splitlines()
    except GitFailed as error:
        if "not a git repository" not in str(error):
            raise
        raise PipelineError(
            f"{start.resolve()} is in no git repository; run from the project's root, or make it one: "
            "git init && dvc init"
        ) from error
    for name in ("dvc.yaml", ".dvc"):
        if not (folder / name).exists():
            raise PipelineError(f"{folder} has no {name}; expected the root of a DVC pipeline")
    # A submodule keeps its .git elsewhere; a worktree of a bare repository has no main checkout.
    is_linked = own != common and Path(common).name == ".git"
    return Project(folder, Path(common).parent if is_linked else folder)


def settings(folder: Path) -> Params:
    """Read the params.yaml of a checkout, as the gate will.

    Raises:
        PipelineError: It is not as this version of the pipeline expects it.
    """
    try:
        return load(folder / PARAMS)
    except BadInput as error:
        raise PipelineError(str(error).replace(f"{folder}/", "")) from error
