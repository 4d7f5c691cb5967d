"""What cannot be used as it is, told in one sentence."""

import errno

# Where a disk, a quota or a file has no room for more.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class BadInput(ValueError):
    """Says what was expected, what came, and what to do; ends a command without a traceback."""
