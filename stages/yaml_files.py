"""Read a YAML file that a person wrote, or that somebody else did and means ill."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent

from stages.errors import BadInput, legible

# A data set of twenty thousand classes; ruamel takes seconds for it.
MOST_CHARACTERS = 500_000
_LONGEST_REASON = 1000


def read_yaml(path: Path) -> Any:
    """Read a YAML 1.2 file.

    Raises:
        BadInput: It is no YAML, or no file.
        FileNotFoundError: It is not there.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _WithoutAliases
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"it has more than {MOST_CHARACTERS:,} characters")
        return yaml.load(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # ruamel raises whatever it likes on a value that does not fit its tag, or a new version
        # ruamel's own text has many lines.
        reason = str(error)
        if isinstance(error, MarkedYAMLError) and error.problem_mark:
            reason = f"line {error.problem_mark.line + 1}: {error.context or ''} {error.problem}"
        raise BadInput(f"{path} is not valid YAML: {legible(reason, _LONGEST_REASON)}") from error


class _WithoutAliases(Composer):
    """Refuses `*name`: nine lines of lists of aliases of lists stand for a billion values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See ruamel.yaml."""
        if self.parser.check_event(AliasEvent):
            event = self.parser.peek_event()
            raise ComposerError(None, None, f"*{event.anchor} is an alias; write its value out", event.start_mark)
        return super().compose_node(parent, index)
