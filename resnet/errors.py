"""What cannot be used as it is, told in one sentence."""


class BadInput(ValueError):
    """Says what was expected, what came, and what to do; ends a command without a traceback."""
