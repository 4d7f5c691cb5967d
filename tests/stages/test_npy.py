import numpy as np
import pytest

from stages.npy import NpyWriter


@pytest.mark.parametrize("lengths", [[], [0], [3], [1, 0, 2, 5], [1] * 120])
def test_what_is_appended_in_parts_loads_as_one_memory_map(tmp_path, lengths):
    parts = [np.random.default_rng(n).integers(0, 256, (n, 2, 4, 3), dtype=np.uint8) for n in lengths]
    with NpyWriter(tmp_path / "images.npy", (2, 4, 3), np.uint8) as writer:
        for part in parts:
            writer.append(part)
    loaded = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert isinstance(loaded, np.memmap)
    np.testing.assert_array_equal(loaded, np.concatenate([np.empty((0, 2, 4, 3), np.uint8), *parts]))


def test_the_file_is_the_one_that_numpy_writes(tmp_path):
    images = np.arange(96, dtype=np.uint8).reshape(4, 2, 4, 3)
    with NpyWriter(tmp_path / "ours.npy", (2, 4, 3), np.uint8) as writer:
        writer.append(images)
    np.save(tmp_path / "numpys.npy", images)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpys.npy").read_bytes()


def test_rows_that_do_not_lie_in_order_in_memory_are_written_in_order(tmp_path):
    images = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with NpyWriter(tmp_path / "images.npy", (4, 3), np.uint8) as writer:
        writer.append(images[::-2])
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), images[::-2])


@pytest.mark.parametrize("rows", [np.zeros((2, 4), np.uint8), np.zeros((2, 3), np.int64), np.zeros(3, np.uint8)])
def test_rows_of_another_shape_or_type_are_refused(tmp_path, rows):
    with NpyWriter(tmp_path / "images.npy", (3,), np.uint8) as writer:
        with pytest.raises(ValueError, match=r"expected rows of \(3,\) uint8, got"):
            writer.append(rows)
        assert writer.rows == 0
