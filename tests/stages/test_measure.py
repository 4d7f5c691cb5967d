import hashlib
import io
import os
import signal

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from stages.measure import measure, perceptual_hashes


def bits_apart(first, second):
    return (int(first, 16) ^ int(second, 16)).bit_count()


def reencoded(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


@pytest.fixture(scope="session")
def seen():
    """The perceptual hash of a Pillow image, as prepare sees it."""

    def look(image, size=32):
        rows, _ = measure([np.asarray(image)], size)
        return rows[0]["perceptual_hash"]

    return look


def test_a_file_is_measured_as_it_is_stored_and_as_it_is_prepared(here, scene):
    scene(0, (30, 20)).convert("RGBA").save("a.png")
    (row,), pixels = measure([str(here / "a.png")], 8)
    assert pixels.shape == (1, 8, 8, 3)
    assert {name: row[name] for name in ("width", "height", "channels", "format", "bytes", "sha256", "error")} == {
        "width": 30,
        "height": 20,
        "channels": 4,
        "format": "PNG",
        "bytes": os.path.getsize("a.png"),
        "sha256": hashlib.sha256((here / "a.png").read_bytes()).hexdigest(),
        "error": None,
    }
    assert (row["mean"], row["std"]) == (pytest.approx(pixels.mean()), pytest.approx(pixels.std()))
    assert [int(row["mean_color"][at : at + 2], 16) for at in (0, 2, 4)] == pixels[0].mean(axis=(0, 1)).round().tolist()
    assert int(row["perceptual_hash"], 16) < 2**64
    assert len(row["perceptual_hash"]) == 16


@pytest.mark.parametrize(("shape", "channels"), [((6, 9), 1), ((6, 9, 3), 3)])
def test_an_array_is_measured_as_a_file_is(shape, channels):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (row,), pixels = measure([image], 8)
    assert pixels.shape == (1, 8, 8, 3)
    assert (row["width"], row["height"], row["channels"], row["format"]) == (9, 6, channels, "array")
    assert (row["bytes"], row["sha256"]) == (image.nbytes, hashlib.sha256(image.tobytes()).hexdigest())


def test_what_cannot_be_decoded_has_a_row_with_its_error_and_no_pixels(here, scene):
    scene(0).save("good.png")
    (here / "empty.png").touch()
    (here / "folder.png").mkdir()
    (here / "loop.png").symlink_to("loop.png")
    names = ["empty.png", "folder.png", "good.png", "loop.png", "missing.png"]
    rows, pixels = measure([str(here / name) for name in names], 8)
    assert [row["error"] is None for row in rows] == [False, False, True, False, False]
    assert pixels.shape == (1, 8, 8, 3)
    assert rows[0]["sha256"] == hashlib.sha256(b"").hexdigest()
    bad = [row for row in rows if row["error"]]
    assert all(row[name] is None for row in bad for name in ("width", "format", "perceptual_hash", "mean_color", "std"))
    expected = ["not an image", "cannot be read: ", "Too many levels of symbolic links", "No such file"]
    assert all(reason in row["error"] for reason, row in zip(expected, bad, strict=True))


def test_a_chunk_of_nothing_but_errors_has_rows_and_no_pixels(here):
    rows, pixels = measure([str(here / "missing.png")] * 2, 8)
    assert len(rows) == 2
    assert (pixels.shape, pixels.dtype) == ((0, 8, 8, 3), np.uint8)


def test_a_pipe_is_an_error_and_no_wait_for_ever(here):
    def give_up(*_):
        raise AssertionError("waits for a pipe that nobody writes to")

    os.mkfifo("pipe.png")
    former = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(10)
    try:
        (row,), _ = measure([str(here / "pipe.png")], 8)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
    assert row["error"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: reencoded(image, 60), id="encoded anew"),
        pytest.param(lambda image: ImageEnhance.Brightness(image).enhance(0.9), id="darker"),
        pytest.param(lambda image: ImageEnhance.Contrast(image).enhance(0.8), id="duller"),
        pytest.param(lambda image: image.resize((48, 48), Image.Resampling.LANCZOS), id="smaller"),
        pytest.param(lambda image: image.convert("L"), id="gray"),
    ],
)
def test_a_picture_keeps_its_hash_but_for_a_few_bits(scene, seen, seed, change):
    image = scene(seed, (96, 96))
    assert bits_apart(seen(image), seen(change(image))) <= 4


def test_other_pictures_have_other_hashes(scene, seen):
    hashes = [seen(scene(seed, (96, 96))) for seed in range(40)]
    assert min(bits_apart(a, b) for number, a in enumerate(hashes) for b in hashes[:number]) > 8


def test_a_hash_depends_on_its_picture_alone(scene):
    images = np.stack([np.asarray(scene(seed, (16, 16))) for seed in range(4)])
    assert perceptual_hashes(images) == [perceptual_hashes(image[None])[0] for image in images]
