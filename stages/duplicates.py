"""Which images show the same picture: the same file, or one that looks alike."""

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_BITS = 64
# Of 255, in the mean of a channel: encoding a picture anew as JPEG of quality 50 moves it by 3.2 at most.
MOST_COLOR_DIFFERENCE = 8


def same_file(sha256: pd.Series) -> NDArray[np.int64]:
    """Number the images so that those with the same content share a number.

    Shapes:
        (N,) to (N,).
    """
    return pd.factorize(sha256)[0].astype(np.int64)


def same_picture(perceptual_hash: pd.Series, distance: int) -> NDArray[np.int64]:
    """Number the images so that those whose hashes differ in at most `distance` bits share a number.

    Two codes that near agree on at least one of distance + 1 bands of their bits (pigeonhole), so that only
    those that share a band need to be compared. Chains count as one picture.

    Shapes:
        (N,) of hexadecimal strings to (N,).
    """
    of_image, codes = pd.factorize(perceptual_hash)
    values = np.array([int(code, 16) for code in codes], np.uint64)
    first, second = _near_pairs(values, distance)
    linked = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(values), len(values)))
    _, of_code = connected_components(linked, directed=False)
    return of_code[of_image].astype(np.int64)


def same_colors(picture: NDArray[np.int64], mean_color: pd.Series) -> NDArray[np.int64]:
    """Number the images anew, so that those of one picture share a number only where their colours are about the same.

    A perceptual hash knows no colours: by it a red button is the same picture as a green one. Chains count as one.

    Shapes:
        (N,) of numbers and (N,) of `rrggbb` in hexadecimal to (N,).
    """
    for channel in (slice(0, 2), slice(2, 4), slice(4, 6)):
        value = np.array([int(color[channel], 16) for color in mean_color], np.int64)
        order = np.lexsort((value, picture))
        apart = (np.diff(picture[order]) > 0) | (np.diff(value[order]) > MOST_COLOR_DIFFERENCE)
        picture = np.zeros_like(picture)
        picture[order[1:]] = apart.cumsum()
    return picture


def _near_pairs(values: NDArray[np.uint64], distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    edges = np.linspace(0, HASH_BITS, distance + 2).astype(int)
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for low, high in itertools.pairwise(edges):
        band = (values >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(band[order]) != 0])
        # Every code of a band is compared with the next one, then with the one after it, and so on.
        ends = np.repeat(np.r_[starts[1:], len(order)], np.diff(np.r_[starts, len(order)]))
        place, step = np.arange(len(order)), 1
        while len(place := place[place + step < ends[place]]):
            first, second = order[place], order[place + step]
            near = np.bitwise_count(values[first] ^ values[second]) <= distance
            found.append((first[near], second[near]))
            step += 1
    firsts, seconds = zip(*found, strict=True)
    return np.concatenate(firsts), np.concatenate(seconds)


def describe_pictures(picture: NDArray[np.int64], split: pd.Series, label: pd.Series) -> pd.DataFrame:
    """Say of each image what else shows its picture.

    Returns:
        A row an image: `twin_within_split` and `twin_across_splits` are the position of another image of the
        same picture, `conflict_within_split` and `conflict_across_splits` of one with another label; -1 for none.
    """
    splits, position, label = split.to_numpy(str), pd.Series(np.arange(len(picture))), label.reset_index(drop=True)
    columns = ["twin_within_split", "twin_across_splits", "conflict_within_split", "conflict_across_splits"]
    result = pd.DataFrame(-1, position.index, columns)
    for name in np.unique(splits):
        inside = splits == name
        for what, value in (("twin", position), ("conflict", label)):
            other = _first_other(picture, value, inside)
            result.loc[inside, f"{what}_within_split"] = other[inside]
            across = result[f"{what}_across_splits"]
            earlier = ~inside & (other >= 0) & ((across < 0) | (other < across))
            result.loc[earlier, f"{what}_across_splits"] = other[earlier]
    return result


def _first_other(picture: NDArray[np.int64], value: pd.Series, among: NDArray[np.bool_]) -> pd.Series:
    """For each image, the first among some that shows the same picture and has another value; -1 for none."""
    shown = pd.Series(picture)
    candidates = pd.DataFrame({"picture": shown, "value": value})[among].reset_index(names="position")
    first = candidates.drop_duplicates("picture").set_index("picture")
    others = candidates[candidates["value"] != candidates["picture"].map(first["value"])]
    second = others.drop_duplicates("picture").set_index("picture")
    alike = shown.map(first["value"]) == value
    return shown.map(first["position"]).where(~alike, shown.map(second["position"])).fillna(-1).astype(int)
