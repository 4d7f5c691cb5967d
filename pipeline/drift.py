"""How new images differ from those that the champion was made of."""

import pandas as pd

# At most how likely a warning is where new images are drawn as the champion's were.
RISK = 0.01
FEATURES = {"brightness": "mean", "contrast": "std", "width": "width", "height": "height"}


def drift(champion: pd.DataFrame, candidate: pd.DataFrame, warning: float) -> pd.DataFrame:
    """Compare the champion's images with those that are new; a row a feature.

    Where none is new, some may be gone: then all that are left are compared. The distance is 0 for equal distributions
    and 1 for those that have nothing in common: Kolmogorov and Smirnov's for numbers, the total variation for class
    shares. Few images are far from any others by chance, so that a warning needs a test beside it (Kolmogorov and
    Smirnov's, chi-squared), whose risk is shared among the features. Images that cannot be decoded do not count;
    prepare refuses data without any that can.

    Args:
        warning: The distance above which it is warned of.
    """
    # SciPy's statistics take a second to import, which a first model need not wait for.
    from scipy.stats import chi2_contingency, ks_2samp

    former, present = (manifest[manifest["error"].isna()] for manifest in (champion, candidate))
    new = present[~present["sha256"].isin(former["sha256"])]
    if new.empty:
        new = present
    table = []
    for name, column in FEATURES.items():
        theirs, own = (rows[column].to_numpy(float) for rows in (former, new))
        test = ks_2samp(theirs, own, method="asymp")
        table.append((name, theirs.mean(), own.mean(), float(test.statistic), float(test.pvalue)))
    counts = pd.DataFrame({"champion": former["label"].value_counts(), "new": new["label"].value_counts()}).fillna(0)
    shares = counts / counts.sum()
    moved = shares["new"] - shares["champion"]
    widest = str(moved.abs().idxmax())
    former_share, new_share = shares["champion"][widest], shares["new"][widest]
    likely = float(chi2_contingency(counts).pvalue)
    table.append((f"class shares (most: {widest})", former_share, new_share, float(moved.abs().sum() / 2), likely))
    found = pd.DataFrame(table, columns=["feature", "champion", "candidate", "distance", "p"])
    return found.assign(warning=(found["distance"] > warning) & (found["p"] < RISK / len(found)))
