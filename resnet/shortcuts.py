"""Options A, B and C: how a shortcut meets a residual of another shape (He et al. 2015, section 3.3).

Each takes the block's input, the filters and stride of its residual, and a function that builds the block's
projection (where it stands and whether it is normalised differs between the papers).

Shapes:
    (N, H, W, C) to (N, H / stride, W / stride, filters).
"""

from collections.abc import Callable
from typing import Any

from keras import layers, ops

Tensor = Any
Shortcut = Callable[[Tensor, int, int, Callable[[], Tensor]], Tensor]


def padded(x: Tensor, filters: int, stride: int, project: Callable[[], Tensor]) -> Tensor:
    """Option A: subsample, and fill the new channels with zeros; no parameter."""
    x = _subsampled(x, stride)
    missing = filters - x.shape[-1]
    return ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, missing]]) if missing else x


def projected_where_needed(x: Tensor, filters: int, stride: int, project: Callable[[], Tensor]) -> Tensor:
    """Option B: a 1x1 convolution where the channels change, the identity elsewhere."""
    return project() if x.shape[-1] != filters else _subsampled(x, stride)


def projected(x: Tensor, filters: int, stride: int, project: Callable[[], Tensor]) -> Tensor:
    """Option C: a 1x1 convolution always."""
    return project()


def _subsampled(x: Tensor, stride: int) -> Tensor:
    return layers.MaxPooling2D(1, stride, name="0_pool")(x) if stride > 1 else x


SHORTCUTS: dict[str, Shortcut] = {"A": padded, "B": projected_where_needed, "C": projected}
