import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from resnet.images import UnreadableImage, read_picture

GRAY, RED, GREEN, WHITE = (100, 100, 100), (255, 0, 0), (0, 255, 0), (255, 255, 255)


def pixels(image, file_format, **options):
    """What is read, in 8x8 pixels, of a Pillow image that went through a file."""
    return read_picture(written(image, file_format, **options), 8).pixels


def written(image, file_format, **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    file.seek(0)
    return file


def png_that_claims(width, height):
    """The bytes of a gray PNG whose header is all there is to it."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def halves(left, right, mode="RGB", size=(8, 8)):
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def palette_with_one_transparent_colour():
    image = halves(1, 0, "P")
    image.putpalette([*GREEN, *RED])
    return image


@pytest.mark.parametrize(
    ("image", "file_format", "options", "left", "right"),
    [
        pytest.param(halves(100, 255, "L"), "PNG", {}, GRAY, WHITE, id="grayscale"),
        pytest.param(halves(0, 1, "1"), "PNG", {}, (0, 0, 0), WHITE, id="one bit"),
        pytest.param(palette_with_one_transparent_colour(), "PNG", {}, RED, GREEN, id="palette"),
        pytest.param(
            palette_with_one_transparent_colour(), "PNG", {"transparency": 0}, RED, WHITE, id="transparent palette"
        ),
        pytest.param(halves(RED, GREEN), "PNG", {"transparency": GREEN}, RED, WHITE, id="transparent colour"),
        pytest.param(halves((*RED, 255), (*RED, 0), "RGBA"), "PNG", {}, RED, WHITE, id="RGBA"),
        pytest.param(halves((*RED, 255), (*RED, 127), "RGBA"), "PNG", {}, RED, (255, 128, 128), id="half transparent"),
        pytest.param(halves((100, 255), (0, 0), "LA"), "PNG", {}, GRAY, WHITE, id="gray and alpha"),
        pytest.param(halves((0, 255, 255, 0), (0, 0, 0, 0), "CMYK"), "TIFF", {}, RED, WHITE, id="CMYK"),
        pytest.param(halves(RED, GREEN), "WEBP", {"lossless": True}, RED, GREEN, id="WebP"),
        pytest.param(halves((*RED, 255), (*RED, 0), "RGBA"), "WEBP", {"lossless": True}, RED, WHITE, id="clear WebP"),
        pytest.param(
            halves(RED, GREEN),
            "GIF",
            {"save_all": True, "append_images": [halves(WHITE, WHITE)]},
            RED,
            GREEN,
            id="first frame of a GIF",
        ),
        pytest.param(halves(RED, GREEN), "BMP", {}, RED, GREEN, id="BMP"),
    ],
)
def test_any_mode_and_format_becomes_rgb(image, file_format, options, left, right):
    read = pixels(image, file_format, **options)
    assert (read.shape, read.dtype) == ((8, 8, 3), np.uint8)
    assert (read[:, :4] == left).all()
    assert (read[:, 4:] == right).all()


def test_a_cmyk_jpeg_keeps_its_colours():
    read = pixels(halves((0, 255, 255, 0), (255, 0, 255, 0), "CMYK", (64, 64)), "JPEG", quality=95)
    np.testing.assert_allclose(read[4, 1], RED, atol=8)
    np.testing.assert_allclose(read[4, 6], GREEN, atol=8)


def test_16_bits_are_scaled_to_8_and_not_clipped():
    levels = np.array([0, 255, 257, 4096, 32768, 40000, 65278, 65535], np.uint16)
    read = pixels(Image.fromarray(np.tile(levels, (8, 1))), "PNG")
    np.testing.assert_array_equal(read[0, :, 0], levels // 257)


@pytest.mark.parametrize(("brightest", "divisor"), [(255, 1), (65535, 257)])
def test_32_bit_files_hold_8_bits_or_16(brightest, divisor):
    levels = np.linspace(0, brightest, 8).astype(np.int32)
    read = pixels(Image.fromarray(np.tile(levels, (8, 1))), "TIFF")
    np.testing.assert_array_equal(read[0, :, 0], levels // divisor)


@pytest.mark.parametrize(("orientation", "red_is"), [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")])
def test_exif_rotation_is_applied(orientation, red_is):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(written(halves(RED, GREEN, size=(32, 16)), "PNG", exif=exif), 16)
    sides = {"left": picture.pixels[8, 0], "right": picture.pixels[8, -1]}
    sides |= {"top": picture.pixels[0, 8], "bottom": picture.pixels[-1, 8]}
    assert tuple(sides[red_is]) == RED
    assert (picture.width, picture.height) == (32, 16)


def test_a_3000_pixel_photo_becomes_a_thumbnail_of_the_same_scene():
    rows, columns = np.mgrid[0:2000, 0:3000]
    scene = np.stack([rows // 8, columns // 12, 0 * rows + 90], -1).astype(np.uint8)
    picture = read_picture(written(Image.fromarray(scene), "JPEG"), 32)
    assert (picture.width, picture.height, picture.channels, picture.format) == (3000, 2000, 3, "JPEG")
    blocks = scene[:1984, 508:2492].reshape(32, 62, 32, 62, 3).mean((1, 3))
    np.testing.assert_allclose(picture.pixels, blocks, atol=4)


def test_a_jpeg_is_decoded_at_no_less_than_the_wanted_size():
    cells = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    picture = read_picture(written(Image.fromarray(cells).resize((256, 256), Image.Resampling.BOX), "JPEG"), 64)
    assert np.corrcoef(picture.pixels[..., 0].ravel(), cells.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("size", [(24, 8), (8, 24)])
def test_what_is_not_square_is_cropped_centrally(size):
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, ((size[0] - 8) // 2, (size[1] - 8) // 2, (size[0] + 8) // 2, (size[1] + 8) // 2))
    assert (pixels(image, "PNG") == RED).all()


def test_an_image_of_the_wanted_size_is_left_as_it_is(noise):
    image = noise(1)[0]
    np.testing.assert_array_equal(pixels(Image.fromarray(image), "PNG"), image)


@pytest.mark.parametrize("side", [1, 3, 20])
def test_an_image_of_another_size_is_resized(noise, side):
    assert pixels(Image.fromarray(noise(1, side)[0]), "PNG").shape == (8, 8, 3)


def test_a_path_is_read_as_an_open_file_is(noise, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(noise(1)[0]).save(path)
    np.testing.assert_array_equal(read_picture(path, 8).pixels, noise(1)[0])
    np.testing.assert_array_equal(read_picture(str(path), 8).pixels, noise(1)[0])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_unreadable(noise, file_format, share):
    whole = written(Image.fromarray(noise(1, 64)[0]), file_format).getvalue()
    with pytest.raises(UnreadableImage, match=r"cannot be decoded: .{8}|not an image in any format"):
        read_picture(io.BytesIO(whole[: int(share * len(whole))]), 8)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "not an image in any format", id="empty"),
        pytest.param(b"a shopping list\n", "not an image in any format", id="text"),
        pytest.param(png_that_claims(50_000, 40_000), "too many pixels to be safe", id="two gigapixels"),
        pytest.param(png_that_claims(8, 8), "cannot be decoded: .*truncated", id="nothing behind a header"),
        pytest.param(
            written(Image.new("F", (8, 8)), "TIFF").getvalue(), "floating-point pixels have no known", id="floats"
        ),
    ],
)
def test_what_is_no_image_is_refused_with_a_sentence(content, sentence, tmp_path):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(UnreadableImage, match=sentence):
        read_picture(tmp_path / "image.png", 8)


@pytest.mark.parametrize("path", ["", "missing.png"], ids=["folder", "missing"])
def test_what_is_no_file_is_refused_with_a_sentence(path, tmp_path):
    with pytest.raises(UnreadableImage, match=r"^cannot be read: (No such file or|Is a) directory$"):
        read_picture(tmp_path / path, 8)


def test_lack_of_memory_is_no_fault_of_the_image():
    class Large(io.BytesIO):
        def read(self, size=-1):
            raise MemoryError

    with pytest.raises(MemoryError):
        read_picture(Large(b"any"), 8)


def test_damaged_bytes_end_in_a_picture_or_in_a_sentence_and_never_in_a_warning(noise):
    draw = np.random.default_rng(0)
    image = Image.fromarray(noise(1, 24)[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    wholes = [
        written(image, name, **options).getvalue()
        for name, options in {"JPEG": {"exif": exif}, "PNG": {"exif": exif}, "TIFF": {}, "AVIF": {}, "DDS": {}}.items()
    ]
    read = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for whole in wholes:
            for _ in range(100):
                damaged = np.frombuffer(whole, np.uint8).copy()
                places = draw.integers(0, min(len(whole), 200), 3)
                damaged[places] = draw.integers(0, 256, 3)
                try:
                    assert read_picture(io.BytesIO(damaged.tobytes()), 8).pixels.shape == (8, 8, 3)
                    read += 1
                except UnreadableImage:
                    refused += 1
    assert read > 50
    assert refused > 50
