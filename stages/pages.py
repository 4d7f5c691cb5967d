"""Pages and documents from templates, each complete in one file."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

# What CommonMark takes for emphasis, code, links, HTML, references to characters and cells of a table.
_MARKUP = re.compile(r"[\\`*_\[\]<&|~]")


def percent(share: float, digits: int = 1) -> str:
    """A share in percent: 0.25 becomes 25.0 %."""
    # The space must not break.
    return f"{100 * share:.{digits}f}\u00a0%"


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


def decimals(number: float, digits: int = 3) -> str:
    """A number to so many decimals."""
    return f"{number:.{digits}f}"


def plain(text: str) -> str:
    """A text on one line of Markdown, in a table too, none of whose characters is markup."""
    return " ".join(_MARKUP.sub(r"\\\g<0>", text).splitlines())


_ENVIRONMENT = Environment(
    loader=PackageLoader("stages"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"percent": percent, "count": count, "decimals": decimals, "plain": plain}


def render(template: str, **values: Any) -> str:
    """Fill a file of stages/templates."""
    return _ENVIRONMENT.get_template(template).render(**values).rstrip("\n") + "\n"
