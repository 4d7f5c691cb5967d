"""Images whose label is probably wrong, by confident learning.

Source: Northcutt, Jiang and Chuang 2021, "Confident Learning" (arXiv 1911.00068).
"""

import numpy as np
from numpy.typing import NDArray


def probably_mislabelled(probabilities: NDArray[np.float64], labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Find the images that lie off the diagonal of the confident joint.

    Such an image is given another class with more confidence than the images of that class usually have.

    Shapes:
        probabilities: (N, K), of a model that was not trained on these images. labels: (N,). Returns (N,).
    """
    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), bool)
    # It takes two seconds to import.
    from cleanlab.filter import find_label_issues

    return np.asarray(find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1), bool)
