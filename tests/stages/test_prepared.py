import json
import os

import numpy as np
import pytest
from numpy.lib import format as npy

from stages.prepared import load_split

IMAGES = np.zeros((6, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 0, 1, 0, 1])


class Bomb:
    """Makes a folder in the hands of whoever unpickles it."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def claiming(*shape):
    """The bytes of a file that claims to hold so many pixels, and holds none."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    return lambda file: npy.write_array_header_1_0(file, header)


@pytest.fixture
def split(here):
    """Write a split, one file of it in another way, and say how it is refused."""
    (here / "prepared").mkdir()
    (here / "prepared/classes.json").write_text(json.dumps(["cat", "dog"]))

    def write(images=IMAGES, labels=LABELS):
        for name, content in {"test_images": images, "test_labels": labels}.items():
            with (here / f"prepared/{name}.npy").open("wb") as file:
                if callable(content):
                    content(file)
                else:
                    np.save(file, content)
        return here / "prepared"

    return write


def test_what_prepare_writes_is_opened_without_being_read(split):
    images, labels = load_split("test", split())
    assert isinstance(images, np.memmap)
    assert (images.shape, labels.tolist()) == (IMAGES.shape, LABELS.tolist())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"images": np.array([Bomb()] * 6, object)}, id="pickled images"),
        pytest.param({"labels": np.array([Bomb()] * 6, object)}, id="pickled labels"),
        pytest.param({"images": claiming(2**50, 8, 8, 3)}, id="a claim of petabytes"),
        pytest.param({"images": claiming(2**70, 8, 8, 3)}, id="a claim beyond numbers"),
        pytest.param({"images": IMAGES.astype(np.float32)}, id="another type"),
        pytest.param({"images": IMAGES[..., :1]}, id="another shape"),
        pytest.param({"labels": LABELS[:5]}, id="fewer labels"),
        pytest.param({"labels": LABELS + 1}, id="a label without a class"),
        pytest.param({"labels": lambda file: file.write(b"PK\x03\x04")}, id="an archive"),
        pytest.param({"labels": lambda file: None}, id="nothing"),
    ],
)
def test_arrays_that_prepare_does_not_write_are_refused_and_never_unpickled(here, split, refusal, changed):
    assert "cannot read the test images of" in refusal(load_split, "test", split(**changed))
    assert not (here / "unpickled").exists()
