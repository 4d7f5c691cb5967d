"""How new images differ from those that the champion was made of."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

# At most how likely a warning is where new images are drawn as the champion's were.
RISK = 0.01
DRAWS = 1_999
FEATURES = {"brightness": "mean", "contrast": "std", "width": "width", "height": "height"}
Row = tuple[str, float, float, float, float]


def drift(champion: pd.DataFrame, candidate: pd.DataFrame, warning: float) -> pd.DataFrame:
    """Compare the champion's images with those that are new, and with all where some are gone; a row a feature.

    The distance is 0 for equal distributions and 1 for those that have nothing in common: Kolmogorov and Smirnov's for
    numbers, the total variation for class shares. Few images are far from any others by chance, so that a warning needs
    a test beside it (Kolmogorov and Smirnov's, a permutation's), whose risk is shared among the rows. Images that
    cannot be decoded do not count; prepare refuses data without any that can.

    Args:
        warning: The distance above which it is warned of.
    """
    former, present = (manifest[manifest["error"].isna()] for manifest in (champion, candidate))
    new = present[~present["sha256"].isin(former["sha256"])]
    rows = [*_compared(former, new, "")] if len(new) else []
    if len(new) < len(present) and (new.empty or not former["sha256"].isin(present["sha256"]).all()):
        rows += _compared(former, present, ", all images" if rows else "")
    found = pd.DataFrame(rows, columns=["feature", "champion", "candidate", "distance", "p"])
    return found.assign(warning=(found["distance"] > warning) & (found["p"] < RISK / len(found)))


def _compared(former: pd.DataFrame, present: pd.DataFrame, which: str) -> Iterator[Row]:
    # SciPy's statistics take a second to import, which a first model need not wait for.
    from scipy.stats import ks_2samp

    for name, column in FEATURES.items():
        theirs, own = (rows[column].to_numpy(float) for rows in (former, present))
        # Of few images the approximation warns too often.
        test = ks_2samp(theirs, own, method="exact" if min(len(theirs), len(own)) < 10 else "asymp")
        yield name + which, theirs.mean(), own.mean(), float(test.statistic), float(test.pvalue)
    sides = {"champion": former["label"].value_counts(), "new": present["label"].value_counts()}
    counts = pd.DataFrame(sides).fillna(0)
    shares = counts / counts.sum()
    widest = str((shares["new"] - shares["champion"]).abs().idxmax())
    own_counts, all_counts = counts["new"].to_numpy(int), counts.sum(axis=1).to_numpy(int)
    # Of rare classes, chi-squared would warn too often.
    drawn = np.random.default_rng(0).multivariate_hypergeometric(all_counts, own_counts.sum(), DRAWS)
    distance = float(_total_variation(own_counts, all_counts))
    as_far = (_total_variation(drawn, all_counts) >= distance - 1e-12).sum()
    name = f"class shares{which} (most: {widest})"
    yield name, shares["champion"][widest], shares["new"][widest], distance, float((1 + as_far) / (1 + DRAWS))


def _total_variation(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """How far the class shares of a part are from those of the rest."""
    rest = whole - part
    return np.abs(part / part.sum(axis=-1, keepdims=True) - rest / rest.sum(axis=-1, keepdims=True)).sum(axis=-1) / 2
