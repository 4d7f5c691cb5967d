"""Pages and documents from templates, each complete in one file."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

_ENVIRONMENT = Environment(
    loader=PackageLoader("stages"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: Any) -> str:
    """Fill a file of stages/templates."""
    return _ENVIRONMENT.get_template(template).render(**values).rstrip("\n") + "\n"
