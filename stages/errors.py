"""What a person did that cannot work, told in one sentence."""


class BadInput(Exception):
    """Says what was expected, what came, and what to do; ends a stage without a traceback."""
