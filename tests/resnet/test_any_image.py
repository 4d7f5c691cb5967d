"""Whatever bytes a file holds, it is read as a picture of the wished size, or refused in a sentence."""

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from resnet.images import FORMATS, UnreadableImage, read_picture

LONGEST_SENTENCE = 1000
reproducibly = settings(derandomize=True, database=None, deadline=None, max_examples=60)
sides = st.integers(1, 40)
pictures = st.tuples(sides, sides).flatmap(lambda sides: arrays(np.uint8, (*sides, 3)))


def file_of(pixels, file_format, **options):
    Image.fromarray(pixels).save(file := io.BytesIO(), file_format, **options)
    return file.getvalue()


@reproducibly
@given(pixels=pictures, file_format=st.sampled_from(["BMP", "PNG", "PPM", "TIFF"]), size=sides)
def test_a_picture_of_any_size_is_read_and_one_of_the_wished_size_is_left_as_it_is(pixels, file_format, size):
    read = read_picture(io.BytesIO(file_of(pixels, file_format)), size)
    assert (read.pixels.shape, read.pixels.dtype) == ((size, size, 3), np.uint8)
    assert (read.height, read.width, read.channels) == pixels.shape
    side = min(pixels.shape[:2])
    square = np.ascontiguousarray(pixels[:side, :side])
    assert (read_picture(io.BytesIO(file_of(square, file_format)), side).pixels == square).all()


@reproducibly
@given(
    pixels=pictures,
    file_format=st.sampled_from(FORMATS),
    start=st.floats(0, 1),
    length=st.integers(0, 200),
    inserted=st.binary(max_size=50),
)
def test_a_picture_with_a_piece_of_it_replaced_is_read_or_refused(pixels, file_format, start, length, inserted):
    content = file_of(pixels, file_format)
    place = round(start * len(content))
    is_read_or_refused(content[:place] + inserted + content[place + length :])


@reproducibly
@given(st.binary(max_size=500))
def test_any_bytes_are_read_or_refused(content):
    is_read_or_refused(content)


def is_read_or_refused(content):
    try:
        read = read_picture(io.BytesIO(content), 8)
    except UnreadableImage as refused:
        refusal = str(refused)
    else:
        refusal = ""
        assert (read.pixels.shape, read.pixels.dtype) == ((8, 8, 3), np.uint8)
    assert len(refusal) < LONGEST_SENTENCE
