"""What the drivers tell a person instead of a traceback."""

import logging


class PipelineError(Exception):
    """Something is not as it must be; the message says what was expected, what came, and what to do."""


class Incomparable(PipelineError):
    """Two models cannot be held against each other."""


class GitFailed(PipelineError):
    """A git command did not do what it was asked."""


class DvcFailed(PipelineError):
    """A dvc command did not do what it was asked; the message ends with its last lines."""


class DataLost(PipelineError):
    """Neither DVC's cache nor its remote has what a commit refers to; to try again would not bring it back."""


class StageFailed(DvcFailed):
    """A stage of the pipeline failed; to run it again would fail again."""


class Busy(PipelineError):
    """Somebody else is at work, and will be done."""


def without_traceback(record: logging.LogRecord) -> bool:
    """Keep the traceback of what a person is told in a sentence out of a log; for logging's addFilter."""
    if record.exc_info and isinstance(record.exc_info[1], PipelineError):
        record.exc_info = None
    return True
