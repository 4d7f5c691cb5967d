"""Pictures as a page embeds them."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 96


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Encode a picture as a URI that holds it, shrunk where it is large.

    Shapes:
        (S, S, 3).
    """
    picture = Image.fromarray(np.asarray(pixels))
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
