"""What a person did that cannot work, told in one sentence."""


class BadInput(Exception):
    """Says what was expected, what came, and what to do; ends a stage without a traceback."""


def legible(text: str, most: int) -> str:
    """Make a text of any length and characters a part of a sentence: one line, and at most so many characters."""
    words = " ".join(text.split())
    escaped = "".join(char if char.isprintable() else repr(char)[1:-1] for char in words[: most + 1])
    return escaped if len(escaped) <= most else f"{escaped[:most]}…"
