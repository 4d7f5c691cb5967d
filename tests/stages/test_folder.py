import os
import subprocess

import pytest

from stages.sources.folder import read_folder


@pytest.fixture
def tree(here):
    """Make files, which need not be images to be listed, and return what is read of their folder."""

    def make(*paths):
        for path in paths:
            (here / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
            (here / "photos" / path).touch()
        return here / "photos"

    return make


def listed(root):
    return [(entry.path, entry.label, entry.split) for entry in read_folder(root)]


def test_folders_are_classes_in_order_and_their_files_images(tree):
    root = tree("dog/b.png", "dog/a.png", "cat/10.jpg", "cat/2.JPG", "cat/Z.tiff")
    assert listed(root) == [
        ("cat/10.jpg", "cat", None),
        ("cat/2.JPG", "cat", None),
        ("cat/Z.tiff", "cat", None),
        ("dog/a.png", "dog", None),
        ("dog/b.png", "dog", None),
    ]


@pytest.mark.parametrize("splits", [["train", "test"], ["train", "validation", "test"]])
def test_folders_of_splits_keep_what_was_given(tree, splits):
    root = tree(*(f"{split}/{name}/{name}.png" for split in splits for name in ("cat", "dog")))
    assert sorted(listed(root)) == sorted(
        (f"{split}/{name}/{name}.png", name, split) for split in splits for name in ("cat", "dog")
    )


@pytest.mark.parametrize("name", ["val", "valid"])
def test_validation_may_be_called_as_others_call_it(tree, name):
    root = tree(*(f"{folder}/{label}/a.png" for folder in ("train", name, "test") for label in ("cat", "dog")))
    assert (f"{name}/cat/a.png", "cat", "validation") in listed(root)


def test_images_may_lie_deeper_in_their_class(tree):
    root = tree("cat/2024/may/a.png", "cat/b.png", "cat/a.png/c.png", "dog/a.png")
    assert [path for path, label, _ in listed(root) if label == "cat"] == [
        "cat/b.png",
        "cat/2024/may/a.png",
        "cat/a.png/c.png",
    ]


@pytest.mark.parametrize(
    "paths", [["train/a.png", "test/a.png"], ["train/a.png", "bus/a.png"], ["train/steam/a.png", "bus/red/a.png"]]
)
def test_classes_may_be_called_like_splits(tree, paths):
    assert {(path, label) for path, label, _ in listed(tree(*paths))} == {(path, path.split("/")[0]) for path in paths}


def test_hidden_files_and_those_that_systems_leave_are_no_images(tree):
    root = tree(
        *("cat/a.png", "dog/a.png", "cat/.DS_Store", "cat/.cache/a.png", ".git/a.png", ".gitignore"),
        *("cat/Thumbs.db", "dog/desktop.ini", "cat/._a.png"),
    )
    assert [path for path, _, _ in listed(root)] == ["cat/a.png", "dog/a.png"]


def test_a_file_beside_the_folders_is_left_out_and_told_of(tree, caplog):
    root = tree("cat/1.png", "dog/1.png", "loose.png", ".hidden")
    assert len(listed(root)) == 2
    assert caplog.messages == [f"1 files lie beside the folders, have no class and are left out: {root}/loose.png"]


@pytest.mark.parametrize(
    "name", ["a b", "猫", "new\nline", 'q"uote', "com,ma", "<b>", "%20", "\\", "NA", "-rf", "a" * 200]
)
def test_any_name_will_do(tree, name):
    assert listed(tree(f"{name}/{name}.png", "dog/a.png"))[not name < "dog"] == (f"{name}/{name}.png", name, None)


def test_links_within_the_folder_and_into_dvcs_cache_are_followed(tree):
    root = tree("cat/a.png", "fox/d.png", "../elsewhere/files/md5/0a/" + 30 * "1")
    (root / "cat/b.png").symlink_to("../fox/d.png")
    (root / "cat/c.png").symlink_to("../../elsewhere/files/md5/0a/" + 30 * "1")
    (root / "dog").symlink_to("fox")
    paths = ["cat/a.png", "cat/b.png", "cat/c.png", "dog/d.png", "fox/d.png"]
    assert [path for path, _, _ in listed(root)] == paths


def test_the_folder_itself_may_be_a_link(tree, here):
    tree("cat/a.png", "dog/a.png")
    (here / "link").symlink_to("photos")
    assert len(listed(here / "link")) == 2


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("dog", "/"),
        ("dog", ".."),
        ("dog", "../elsewhere"),
        ("train", "/etc"),
        ("cat/b.png", "/etc/passwd"),
        ("cat/b.png", "../.."),
        ("cat/new\nline.png", "../../elsewhere/c.png"),
    ],
)
def test_a_link_out_of_the_folder_is_refused_by_name_and_never_listed(tree, refusal, link, target):
    root = tree("cat/a.png", "fox/a.png", "../elsewhere/c.png")
    (root / link).symlink_to(target)
    sentence = refusal(read_folder, root)
    assert f"{str(root / link)!r} is a link to " in sentence
    assert f"out of {root}" in sentence


def test_images_may_lie_a_thousand_folders_deep(tree, here):
    root = tree("cat/a.png", "dog/a.png")
    os.chdir(root / "cat")
    for _ in range(1100):
        os.mkdir("d")
        os.chdir("d")
    os.close(os.open("deep.png", os.O_CREAT))
    os.chdir(here)
    found = [path for path, _, _ in listed(root)]
    # Python cannot remove what it could make.
    subprocess.run(["rm", "-r", root], check=True)
    assert found == ["cat/a.png", f"cat/{1100 * 'd/'}deep.png", "dog/a.png"]


def test_a_link_to_a_folder_within_a_class_is_not_passed_over_in_silence(tree):
    root = tree("cat/a.png", "dog/a.png")
    (root / "cat/loop").symlink_to("..")
    assert "cat/loop" in [path for path, _, _ in listed(root)]


@pytest.mark.parametrize(
    "folders",
    [
        ["train"],
        ["test"],
        ["train", "validation"],
        ["train", "validation", "val", "test"],
        ["train", "val"],
        ["train", "dev", "test"],
        ["Train", "Test"],
        ["training", "testing"],
        ["train", "test", "extra"],
    ],
)
def test_folders_that_look_like_splits_but_are_not_are_refused(tree, refusal, folders):
    root = tree(*(f"{folder}/{name}/a.png" for folder in folders for name in ("cat", "dog")))
    sentence = refusal(read_folder, root)
    assert all(f"{folder}/" in sentence for folder in folders)
    assert "expected train/ and test/" in sentence
    assert ("must be called test/" in sentence) == (len(folders) > 1 and "test" not in folders)


def test_a_split_or_a_class_without_images_is_refused(tree, refusal):
    root = tree("train/cat/a.png", "train/dog/a.png", "test/cat.png")
    assert f"{root}/test holds no class folders" in refusal(read_folder, root)
    root = tree("test/cat/a.png", "train/eel/.gitkeep")
    assert f"{root} has no images of 'eel'" in refusal(read_folder, root)


@pytest.mark.parametrize("name", [b"\xff/a.png", b"cat/\xff.png"])
def test_a_name_that_is_no_utf_8_is_refused(tree, refusal, name):
    root = tree("cat/a.png", "dog/a.png", os.fsdecode(name))
    assert "is not UTF-8" in refusal(read_folder, root)
    assert "\\xff" in refusal(read_folder, root)


def test_a_folder_that_cannot_be_listed_is_refused(here, refusal):
    # Deeper than a path can be long: what even root is not allowed to list.
    (here / "photos/cat").mkdir(parents=True)
    os.chdir("photos/cat")
    for _ in range(20):
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    os.chdir(here)
    assert "cannot be listed" in refusal(read_folder, here / "photos")
