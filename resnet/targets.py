"""What a classifier should answer."""

import numpy as np
from numpy.typing import NDArray


def smoothed_targets(labels: NDArray[np.integer], classes: int, smoothing: float = 0.0) -> NDArray[np.float32]:
    """Turn labels into probabilities, some of each given to all classes.

    Shapes:
        (N,) to (N, K).

    Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7.
    """
    targets = np.full((len(labels), classes), smoothing / classes, np.float32)
    targets[np.arange(len(labels)), labels] += np.float32(1 - smoothing)
    return targets
