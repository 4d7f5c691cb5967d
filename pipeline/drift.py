"""How new images differ from those that the champion was made of."""

import pandas as pd

FEATURES = {"brightness": "mean", "contrast": "std", "width": "width", "height": "height"}


def drift(champion: pd.DataFrame, candidate: pd.DataFrame, warning: float) -> pd.DataFrame:
    """Compare two manifests; a row a feature.

    The distance is 0 for equal distributions and 1 for those that have nothing in common: Kolmogorov and Smirnov's
    for numbers, the total variation for class shares. Images that cannot be decoded do not count; prepare refuses
    data without any that can.
    """
    # SciPy's statistics take a second to import, which a first model need not wait for.
    from scipy.stats import ks_2samp

    former, new = (manifest[manifest["error"].isna()] for manifest in (champion, candidate))
    rows = []
    for name, column in FEATURES.items():
        distance = ks_2samp(former[column], new[column], method="asymp").statistic
        rows.append((name, former[column].mean(), new[column].mean(), float(distance)))
    shares = pd.DataFrame(
        {"champion": former["label"].value_counts(normalize=True), "new": new["label"].value_counts(normalize=True)}
    ).fillna(0.0)
    moved = shares["new"] - shares["champion"]
    widest = str(moved.abs().idxmax())
    former_share, new_share = shares["champion"][widest], shares["new"][widest]
    rows.append((f"class shares (most: {widest})", former_share, new_share, float(moved.abs().sum() / 2)))
    table = pd.DataFrame(rows, columns=["feature", "champion", "candidate", "distance"])
    return table.assign(warning=table["distance"] > warning)
