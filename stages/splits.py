"""Which images train, validate and test, where nobody has said it."""

import hashlib

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
ALSO_CALLED = {"val": VALIDATION, "valid": VALIDATION}


def place(seed: int, key: str, validation_fraction: float, test_fraction: float) -> str:
    """Put an image, or a group of images, on its side by a seeded hash.

    It depends on nothing but its arguments: an image stays on its side when others are added, so that
    tomorrow's test set never holds yesterday's training images.

    Args:
        key: What belongs together: the image's label and content, or the name of its group.
    """
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogateescape")).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    if point < test_fraction:
        return TEST
    return VALIDATION if point < test_fraction + validation_fraction else TRAIN
