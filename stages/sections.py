"""What a YAML file must hold, as typed sections, and in a sentence what is wrong with one that does not."""

import difflib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from stages.errors import BadInput, legible

_SHOWN = 200
_LONGEST_REASON = 1000
# More mistakes than a person makes at once; beyond them the file is another one.
_MOST_MISTAKES = 10
_ITEMS = {"string_too_short": "character", "too_short": "item"}


class Section(BaseModel):
    """A mapping of a file: unknown keys and values of a wrong type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Whole = TypeVar("Whole", bound=Section)


def checked(whole: type[Whole], content: Any, path: Path) -> Whole:
    """Hold what a file says against what it must hold.

    Raises:
        BadInput: Names each key that is unknown, missing, of a wrong type or impossible, and what would do.
    """
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds {type(content).__name__}"
        raise BadInput(f"{path} must be a mapping of keys, but {found}")
    try:
        return whole.model_validate(content)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        sentences = [_sentence(detail, whole) for detail in mistakes[:_MOST_MISTAKES]]
        if len(mistakes) > _MOST_MISTAKES:
            sentences.append(f"and {len(mistakes) - _MOST_MISTAKES} more")
        raise BadInput(f"{path}: " + "; ".join(sentences)) from error


def _sentence(detail: ErrorDetails, whole: type[Section]) -> str:
    location = [legible(str(part), _SHOWN) for part in detail["loc"]]
    key = ".".join(location)
    match detail["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(location[-1], _keys_beside(location, whole), n=1)
            return f"unknown key {key}" + (f" (did you mean {near[0]}?)" if near else "; remove it")
        case "missing":
            return f"{key} is missing; write it into the file (git diff shows what was taken out)"
        case "value_error":
            reason = legible(str(detail["ctx"]["error"]), _LONGEST_REASON)
            # What is wrong with a section begins with one of its keys.
            between = "." if isinstance(detail["input"], dict) else ": "
            return f"{key}{between}{reason}" if key else reason
        case "model_type":
            return f"{key} must be a mapping of keys, but is {legible(repr(detail['input']), _SHOWN)}"
        case "string_too_short" | "too_short":
            least = f"{detail['ctx']['min_length']} {_ITEMS[detail['type']]}"
            return f"{key} must have at least {least}, but is {legible(repr(detail['input']), _SHOWN)}"
    reason = detail["msg"].removeprefix("Input ").removeprefix("String ").replace("should", "must")
    return f"{key} {reason}, but is {legible(repr(detail['input']), _SHOWN)}"


def _keys_beside(location: list[str], whole: type[Section]) -> list[str]:
    section: Any = whole
    for part in location[:-1]:
        # A mapping whose keys are free has sections as its values.
        section = _keys(section)[part] if isinstance(section, type) else get_args(section)[1]
    return list(_keys(section))


def _keys(section: type[Section]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in section.model_fields.items()}
