"""NPY files that grow image by image, so that memory does not."""

import io
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray


class NpyWriter:
    """Append arrays of one row shape to a .npy file that np.load(mmap_mode="r") can open."""

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.rows = 0
        self._row_shape = row_shape
        self._dtype = np.dtype(dtype)
        self._file = path.open("wb")
        self._file.write(self._header())

    def append(self, rows: NDArray[np.generic]) -> None:
        """Write rows behind the others."""
        if rows.shape[1:] != self._row_shape or rows.dtype != self._dtype:
            raise ValueError(f"expected rows of {self._row_shape} {self._dtype}, got {rows.shape[1:]} {rows.dtype}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._file.seek(0)
            self._file.write(self._header())
        self._file.close()

    def _header(self) -> bytes:
        # NumPy leaves room for the first axis to grow, so that the header keeps its length.
        header = io.BytesIO()
        fields = {"shape": (self.rows, *self._row_shape), "fortran_order": False, "descr": self._dtype.str}
        np.lib.format.write_array_header_1_0(header, fields)
        return header.getvalue()
