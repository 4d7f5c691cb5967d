"""An answer of two views: the mean over an image and its mirror image."""

import dataclasses

import keras
from keras import layers, ops

from resnet.network import Architecture

_MEAN = "mean_of_views"


def two_views(network: keras.Model) -> keras.Model:
    """Make a network that answers with the mean of another one's answers to an image and to its mirror image.

    It has the weights and the name of that one, is a little more accurate where mirroring changes no label, and takes
    twice the time.

    Shapes:
        (N, H, W, 3) to (N, classes).

    Source: He et al. 2015, section 3.4, where there are ten views.
    """
    image = keras.Input(network.input_shape[1:], name="image")
    answers = [network(image), network(ops.flip(image, axis=2))]
    model = keras.Model(image, layers.Average(name=_MEAN)(answers), name=network.name)
    architecture = getattr(network, "architecture", None)
    model.architecture = architecture and TwoViews(architecture)
    return model


def one_view(model: keras.Model) -> keras.Model:
    """The network that a model of two views asks twice; any other model is its own."""
    return model.get_layer(model.name) if model.layers[-1].name == _MEAN else model


@dataclasses.dataclass(frozen=True)
class TwoViews:
    """An architecture of two views, so that `resnet.portable` can build it again."""

    network: Architecture

    def build(self) -> keras.Model:
        """Build it with fresh weights."""
        return two_views(self.network.build())
