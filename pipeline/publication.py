"""Sharing a retraining: its data to the DVC remote first, then its branch and the registry's tags to git's."""

from pathlib import Path

from pipeline import dvc
from pipeline.checkout import checkout
from pipeline.errors import DataLost, PipelineError
from pipeline.git import commit_of, git
from pipeline.processes import Say
from pipeline.project import Project
from pipeline.registry import ARTIFACT
from stages.outputs import write_text


class Publication:
    """Pushes branches, and remembers those that could not be pushed."""

    def __init__(self, project: Project, say: Say, held: int | None = None) -> None:
        self.project, self.say, self.held = project, say, held
        self._file = project.state / "unpublished"

    def check(self) -> None:
        """Make sure that there is somewhere to push to, before hours of training.

        Raises:
            PipelineError: There is no remote of git's, or no default one of DVC's.
        """
        self._remote()
        if not dvc.default_remote(self.project.folder):
            raise PipelineError(
                "there is no default DVC remote to push to; dvc remote add --default NAME ADDRESS, or dvc remote "
                "default NAME where there is one, or leave out --push"
            )

    def remember(self, branch: str) -> None:
        """Note that a branch is to be published, now or with the next run."""
        self._write([*(name for name in self.waiting() if name != branch), branch])

    def waiting(self) -> list[str]:
        """The branches that are still to be published."""
        names = self._file.read_text(encoding="utf-8").split() if self._file.exists() else []
        existing = git(self.project.main, "for-each-ref", "--format=%(refname:short)", "refs/heads/").splitlines()
        return [name for name in names if name in existing]

    def publish(self, branch: str, folder: Path) -> None:
        """Push a branch from a checkout of it.

        Raises:
            PipelineError: The result stays here, and is pushed with the next run.
        """
        stays = f"{branch} stays here, and is pushed with the next run"
        try:
            remote = self._remote()
            # The data first, so that nobody ever pulls a branch whose data is not there.
            dvc.push(folder, self.say, self.held)
            self._push(remote, f"refs/heads/{branch}")
        except PipelineError as error:
            raise type(error)(f"{error}; {stays}") from error
        self._write([name for name in self.waiting() if name != branch])

    def publish_what_is_left(self) -> None:
        """Push what an earlier run could not, and what a person has promoted or rolled back since."""
        for branch in self.waiting():
            with checkout(self.project, commit_of(self.project.main, branch), "publication") as folder:
                try:
                    self.publish(branch, folder)
                except DataLost as error:
                    # It may never come back, and others wait too.
                    self.say(f"{error}; if it cannot be brought back: git branch -D {branch}")
        self._push(self._remote())

    def _remote(self) -> str:
        remotes = git(self.project.main, "remote").splitlines()
        if not remotes:
            raise PipelineError("there is no git remote to push to; git remote add origin ADDRESS, or leave out --push")
        return "origin" if "origin" in remotes else remotes[0]

    def _push(self, remote: str, *branches: str) -> None:
        """Push branches whose data has been pushed, and the registry's new tags, whose data goes first too."""
        seen_to = {commit_of(self.project.main, branch) for branch in branches}
        refs = [*branches]
        for commit, tags in self._new_tags(remote).items():
            if commit in seen_to or self._push_data(commit, tags):
                refs += tags
        if refs:
            git(self.project.main, "push", "--quiet", remote, *refs)

    def _push_data(self, commit: str, tags: list[str]) -> bool:
        """Push what a commit refers to; say which tags stay here where that fails, which holds nothing else up."""
        try:
            with checkout(self.project, commit, "registry") as folder:
                dvc.push(folder, self.say, self.held)
        except PipelineError as error:
            self.say(f"{' and '.join(tags)} stay here, and are tried again with the next run: {error}")
            return False
        return True

    def _new_tags(self, remote: str) -> dict[str, list[str]]:
        """The registry's tags that the remote has not, by commit; none may mean something else there."""
        patterns = [f"refs/tags/{ARTIFACT}@*", f"refs/tags/{ARTIFACT}#*"]
        own = _named(git(self.project.main, "for-each-ref", "--format=%(objectname) %(refname)", *patterns))
        theirs = _named(git(self.project.main, "ls-remote", "--refs", remote, *patterns))
        for name in sorted(own.keys() & theirs.keys()):
            if own[name] != theirs[name]:
                tag = name.removeprefix("refs/tags/")
                raise PipelineError(
                    f"the tag {tag} on {remote} is not the one here, as another machine has promoted too; "
                    f"git tag --delete '{tag}', git fetch {remote} --tags, then python -m pipeline promote REV"
                )
        new: dict[str, list[str]] = {}
        for tag in sorted(own.keys() - theirs.keys()):
            new.setdefault(commit_of(self.project.main, tag), []).append(tag)
        return new

    def _write(self, names: list[str]) -> None:
        # Whole or not at all: a branch that is forgotten is never pushed.
        write_text(self._file, "".join(f"{name}\n" for name in names))


def _named(listed: str) -> dict[str, str]:
    """The object that each ref names, of git's lines of an object and a ref."""
    return {name: found for found, name in (line.split() for line in listed.splitlines())}
