"""What every source of images amounts to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# A file by its name as text: to make a Path takes half as long as to read a small file, and another process makes it
# anew.
RawImage = str | NDArray[np.uint8]
# Control characters and the like, which neither the report's charts nor its tables can hold.
UNDRAWABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One raw image.

    Attributes:
        path: Its name in the manifest, relative to the source.
        image: The file, or pixels of (H, W) or (H, W, 3).
        split: Where it was put by those who made the set; None leaves it to us.
        group: What must not be torn apart by a split.
        properties: What else is known of it; the accuracy is measured for each value.
    """

    path: str
    label: str
    image: RawImage
    split: str | None = None
    group: str | None = None
    properties: Mapping[str, str | float | None] = field(default_factory=dict)
