"""The table of architectures: one row a network, nothing but data.

Sources:
    2015: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", arXiv 1512.03385.
    2016: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", arXiv 1603.05027.

Differs: resnet1001v2 has 10.3 million parameters, of which 0.1 are normalisations that the paper's 10.2 leave out.
"""

import difflib
from dataclasses import dataclass, replace
from typing import Literal

Block = Literal["plain", "basic", "bottleneck", "preactivation"]
Shortcut = Literal["A", "B", "C"]
Stem = Literal["small", "large"]
Downsampling = Literal["first", "last"]
Bias = Literal["none", "unnormalised", "all"]
Preprocessing = Literal["symmetric", "caffe"]


@dataclass(frozen=True)
class Variant:
    """One architecture.

    Attributes:
        block: The function of `resnet.blocks` that is repeated.
        repeats: Blocks in each group.
        filters: Filters of each group's 3x3 convolutions.
        stem: `large` is ImageNet's 7x7 stride 2 and max-pool, `small` is CIFAR's 3x3.
        shortcut: How a shortcut changes shape (2015, section 3.3); unused by plain nets.
        downsampling: The block of a group that halves the image: the first (the papers) or the
            last (keras.applications' v2 networks).
        bias: The convolutions that have a bias: none (the papers), those that no normalisation
            follows, or all (both as in keras.applications).
        preprocessing: What the weights expect of 0..255 RGB: `symmetric` is x / 127.5 - 1, `caffe` is
            BGR less ImageNet's mean.
        paper: The year of the paper that describes it, or what it is a shorter form of.
    """

    name: str
    block: Block
    repeats: tuple[int, ...]
    filters: tuple[int, ...]
    stem: Stem
    shortcut: Shortcut
    downsampling: Downsampling
    bias: Bias
    preprocessing: Preprocessing
    paper: int

    @property
    def minimum_size(self) -> int:
        """The smallest image side, in pixels.

        It leaves two by two pixels, as each group but the first halves the image. A large stem halves it twice more: an
        ImageNet network then needs what keras.applications asks for, and of the smallest image one pixel is left.
        """
        return 32 if self.stem == "large" and len(self.repeats) == 4 else 2 ** len(self.repeats)


SMALL_IMAGE = 64
# oneDNN, by which TensorFlow convolves on a CPU, damages memory where a 7x7 convolution of 4 or 8 filters trains on 224
# pixels; those of 10 and more were seen to train (benchmarks/LOG.md).
LEAST_FILTERS_OF_LARGE_STEM = 16
# Far beyond any that has been published: a bound against slips of the keyboard.
WIDEST = 100

CIFAR = (16, 32, 64)
IMAGENET = (64, 128, 256, 512)

_CIFAR_DEPTHS = (20, 32, 44, 56, 110, 1202)
_BASIC = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}

_ROWS = (
    # The CIFAR family, 6n + 2 layers, and its twins without shortcuts (2015, section 4.2).
    *(
        Variant(f"plain{d}", "plain", ((d - 2) // 6,) * 3, CIFAR, "small", "A", "first", "none", "symmetric", 2015)
        for d in _CIFAR_DEPTHS
    ),
    *(
        Variant(f"resnet{d}", "basic", ((d - 2) // 6,) * 3, CIFAR, "small", "A", "first", "none", "symmetric", 2015)
        for d in _CIFAR_DEPTHS
    ),
    # The ImageNet family (2015, table 1). Biases of 50, 101 and 152 as in keras.applications.
    *(
        Variant(f"plain{d}", "plain", r, IMAGENET, "large", "B", "first", "none", "symmetric", 2015)
        for d, r in _BASIC.items()
    ),
    # ResNet-10 is not in the paper: ResNet-18 with one block a group, as others have it since.
    *(
        Variant(f"resnet{d}", "basic", r, IMAGENET, "large", "B", "first", "none", "symmetric", 2015)
        for d, r in ({10: (1, 1, 1, 1)} | _BASIC).items()
    ),
    *(
        Variant(f"resnet{d}", "bottleneck", r, IMAGENET, "large", "B", "first", "all", "caffe", 2015)
        for d, r in _BOTTLENECK.items()
    ),
    # The pre-activation family on CIFAR, 9n + 2 layers (2016, section 3.2 and table 4).
    *(
        Variant(
            f"resnet{d}v2",
            "preactivation",
            ((d - 2) // 9,) * 3,
            CIFAR,
            "small",
            "B",
            "first",
            "none",
            "symmetric",
            2016,
        )
        for d in (164, 1001)
    ),
    # The pre-activation family on ImageNet (2016, table 5), placed as in keras.applications.
    *(
        Variant(f"resnet{d}v2", "preactivation", r, IMAGENET, "large", "B", "last", "unnormalised", "symmetric", 2016)
        for d, r in (_BOTTLENECK | {200: (3, 24, 36, 3)}).items()
    ),
)

# Those that keras.applications has weights for.
IMAGENET_WEIGHTS = tuple(f"resnet{d}{version}" for version in ("", "v2") for d in _BOTTLENECK)

VARIANTS = {row.name: row for row in _ROWS}


def names() -> list[str]:
    """List every architecture's name, family by family."""
    return list(VARIANTS)


def variant(name: str) -> Variant:
    """Look one architecture up.

    Raises:
        ValueError: No such name; the message holds the nearest ones.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    near = difflib.get_close_matches(str(name), VARIANTS, n=3, cutoff=0.5)
    hint = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(VARIANTS)}"
    raise ValueError(f"there is no architecture {name!r}; {hint}")


def stem_for(row: Variant, input_shape: tuple[int | None, int | None, int]) -> Stem:
    """Choose a stem: a large one would leave an image below 64 pixels nothing to see."""
    known = [side for side in input_shape[:2] if side]
    return "small" if known and min(known) < SMALL_IMAGE else row.stem


def widened(row: Variant, width: float) -> Variant:
    """Multiply the filters of every group.

    Raises:
        ValueError: A group would be left without a filter, or a large stem with too few; or a width above `WIDEST`.

    Source: Zagoruyko and Komodakis 2016, "Wide Residual Networks", arXiv 1605.07146, section 2.
    """
    if not 0 < width <= WIDEST:
        raise ValueError(f"width is {width}; expected above 0 and at most {WIDEST}")
    filters = tuple(round(width * of_group) for of_group in row.filters)
    if min(filters) < 1:
        raise ValueError(f"width {width} leaves {row.name} groups of {filters} filters; each needs one at least")
    if row.stem == "large" and filters[0] < LEAST_FILTERS_OF_LARGE_STEM:
        raise ValueError(
            f"width {width} leaves the large stem of {row.name} {filters[0]} filters, with which TensorFlow may crash; "
            f"it needs {LEAST_FILTERS_OF_LARGE_STEM}: choose a greater width, or stem small"
        )
    return replace(row, filters=filters)
