"""Temperature scaling: one number, fitted on the validation images, that makes confidence honest.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), section 4.2.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

Probabilities = NDArray[np.float64]

COLDEST, HOTTEST = 0.1, 10.0
SMALLEST = np.finfo(np.float32).tiny


def fit_temperature(probabilities: Probabilities, labels: NDArray[np.integer]) -> float | None:
    """Find the temperature under which the labels are most likely; None where there is none within bounds.

    Without a single mistake among the labels, the colder the likelier, and nothing is known of the temperature.

    Shapes:
        probabilities: (N, K). labels: (N,).
    """
    if (probabilities.argmax(axis=1) == labels).all():
        return None
    own = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        return float(-_log(scale(probabilities, np.exp(logarithm)))[own, labels].mean())

    bounds = np.log([COLDEST, HOTTEST])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return None if np.abs(found.x - bounds).min() < 1e-3 else float(np.exp(found.x))


def scale(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Divide the logits by a temperature; the most probable class stays the most probable.

    Shapes:
        (N, K) to (N, K).
    """
    # Logarithms are the logits up to a constant, which softmax does not see.
    return softmax(_log(probabilities) / temperature, axis=1)


def _log(probabilities: Probabilities) -> Probabilities:
    return np.log(np.maximum(probabilities, SMALLEST))
