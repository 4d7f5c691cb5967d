"""An answer of two views: the mean over an image and its mirror image."""

import dataclasses
from typing import TYPE_CHECKING

import keras
from keras import layers, ops

if TYPE_CHECKING:
    from resnet.network import Architecture


def two_views(network: keras.Model) -> keras.Model:
    """Make of a trained network one that answers with the mean over an image and its mirror image.

    It has the weights and the name of that one, is a little more accurate where mirroring changes no label, and takes
    twice the time. Train the network itself and not this one. A model of two views gets no more of them.

    Shapes:
        (N, H, W, 3) to (N, classes).

    Raises:
        ValueError: The network answers with a feature map, whose places are others in a mirror image.

    Source: He et al. 2015, section 3.4, where there are ten views.
    """
    if len(network.output_shape) != 2:
        raise ValueError(f"expected a network that answers with a vector, got one of shape {network.output_shape}")
    network = one_view(network)
    image = keras.Input(network.input_shape[1:], name="image")
    answers = [network(image), network(ops.flip(image, axis=2))]
    model = keras.Model(image, layers.Average(name="mean_of_views")(answers), name=network.name)
    architecture = getattr(network, "architecture", None)
    model.architecture = architecture and TwoViews(architecture)
    return model


def one_view(model: keras.Model) -> keras.Model:
    """The network that a model of two views asks twice; any other model is its own."""
    within = [layer for layer in model.layers if isinstance(layer, keras.Model) and layer.name == model.name]
    return within[0] if within else model


@dataclasses.dataclass(frozen=True)
class TwoViews:
    """An architecture of two views, so that `resnet.portable` can build it again."""

    network: "Architecture"

    def build(self) -> keras.Model:
        """Build it with fresh weights."""
        return two_views(self.network.build())
