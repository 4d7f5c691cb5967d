import pandas as pd

from stages import findings


def pairs(*rows):
    return pd.DataFrame(
        [(actual, predicted) for actual, predicted, times in rows for _ in range(times)],
        columns=["actual", "predicted"],
    )


def part(name, images, accuracy, p):
    return {"property": "brightness", "value": name, "images": images, "accuracy": accuracy, "p": p}


def test_cells_count_pairs_and_give_their_share_of_the_class():
    found = findings.cells(pairs(("cat", "dog", 1), ("cat", "cat", 3), ("dog", "dog", 2)))
    assert found.to_dict("list") == {
        "actual": ["cat", "cat", "dog"],
        "predicted": ["cat", "dog", "dog"],
        "images": [3, 1, 2],
        "share": [0.75, 0.25, 1.0],
    }


def test_mistakes_come_most_frequent_first():
    found = findings.confusions(findings.cells(pairs(("a", "b", 2), ("b", "a", 5), ("c", "c", 9), ("c", "a", 2))))
    assert found[["actual", "predicted"]].values.tolist() == [["b", "a"], ["a", "b"], ["c", "a"]]


def test_of_many_classes_those_with_most_mistakes_are_drawn_in_their_own_order():
    mistakes = findings.confusions(findings.cells(pairs(("d", "a", 5), ("b", "c", 1), ("b", "a", 1))))
    assert findings.most_confused(mistakes, list("abcd"), 4) == list("abcd")
    assert findings.most_confused(mistakes, list("abcde"), 3) == ["a", "b", "d"]


def test_of_many_parts_each_has_to_be_weaker_by_so_much_more():
    parts = [part("dark", 30, 0.9, p=0.02), part("bright", 300, 0.8, p=1e-9), part("dim", 200, 0.7, p=1e-9)]
    assert [row["value"] for row in findings.weak_parts(pd.DataFrame(parts))] == ["dim", "bright"]
    assert [row["value"] for row in findings.weak_parts(pd.DataFrame(parts[:1]))] == ["dark"]
    # A file of headings alone has no types.
    assert findings.weak_parts(pd.DataFrame(parts).head(0).astype(object)) == []


def test_the_weakest_corruption_is_neither_the_mean_nor_the_number_of_images():
    corrupted = {"images": 0, "accuracy": 0.1, "noise": 0.5, "blur": 0.4}
    assert findings.weakest_corruption(corrupted) == ("blur", 0.4)


def test_the_spread_is_how_many_times_the_strongest_is_the_weakest():
    assert findings.spread(pd.Series([2.0, 8.0, 1.0])) == 8
