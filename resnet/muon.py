"""Gradient descent that moves a convolution in all directions alike."""

import math
from typing import Any

import keras
from keras import ops

from resnet.sgd import SGD

# Of the iteration that makes a step orthogonal: quick for small singular values, and near enough to one for the others.
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
# Five, in two runs: rounding grows from one to the next of a run, and GPUs multiply in TensorFloat-32.
ITERATIONS = (3, 2)


@keras.saving.register_keras_serializable("resnet")
class Muon(SGD):
    """Momentum SGD whose step for a convolution, as a matrix, is made orthogonal.

    A gradient is large in a few directions and small in all others; of such a step each singular value is about one, so
    rare directions are learned as fast as common ones. What has fewer than four dimensions, and so is no convolution's
    filters, is trained by SGD.

    Args:
        convolution_rate: The learning rate of convolutions, as a share of the whole one: their step is of one length
            however small the gradient is.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; its weight decay is of Liu et
        al. 2025 (arXiv 2502.16982), section 2.2.
    Differs: the first convolution is trained like the others, and what is none by SGD, not by AdamW; a convolution
        decays by as much a step as with SGD, so that `kernel_decay` means the same to both.
    """

    def __init__(self, learning_rate: Any = 0.1, *, convolution_rate: float = 0.05, **arguments: Any) -> None:
        super().__init__(learning_rate, **arguments)
        self.convolution_rate = convolution_rate

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable and its velocity."""
        if not _is_of_convolution(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        rate = ops.cast(learning_rate, variable.dtype)
        direction = ops.cast(gradient, variable.dtype)
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            new = ops.add(ops.multiply(velocity, self.momentum), direction)
            self.assign(velocity, new)
            direction = ops.add(direction, ops.multiply(new, self.momentum)) if self.nesterov else new
        step = ops.multiply(orthogonal(direction), self.convolution_rate)
        # With SGD, momentum adds a decay up until it is so many times as large.
        decay = ops.multiply(ops.convert_to_tensor(variable), self.kernel_decay / (1 - self.momentum))
        self.assign_sub(variable, ops.multiply(ops.add(step, decay), rate * self.body_rate))

    def _with_decay(self, gradient: Any, variable: Any) -> Any:
        return gradient if _is_of_convolution(variable) else super()._with_decay(gradient, variable)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"convolution_rate": self.convolution_rate}


def orthogonal(direction: Any) -> Any:
    """Make every singular value of a convolution's filters about one, or more where they widen the features.

    Shapes:
        (H, W, C, filters) or, of several convolutions, (R, H, W, C, filters), to the same.
    """
    *several, height, width, channels, filters = direction.shape
    seen = height * width * channels
    x = ops.reshape(direction, (*several, seen, filters))
    # No singular value is then above one, where the iteration would not converge.
    x = ops.divide(x, ops.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
    x = x if seen > filters else ops.swapaxes(x, -1, -2)
    for iterations in ITERATIONS:
        x = _nearer(x, iterations)
    x = x if seen > filters else ops.swapaxes(x, -1, -2)
    return ops.multiply(ops.reshape(x, direction.shape), math.sqrt(max(1, filters / seen)))


def _nearer(x: Any, iterations: int) -> Any:
    """Take each singular value towards one by the iteration of Newton and Schulz, a polynomial of it.

    The matrix is multiplied by polynomials of its Gram matrix. As these commute, they are worked out on that alone,
    which is several times smaller, and the matrix is multiplied once.
    """
    gram = ops.matmul(ops.swapaxes(x, -1, -2), x)
    factor = polynomial = _polynomial(gram)
    for _ in range(iterations - 1):
        gram = ops.matmul(ops.matmul(gram, polynomial), polynomial)
        polynomial = _polynomial(gram)
        factor = ops.matmul(factor, polynomial)
    return ops.matmul(x, factor)


def _polynomial(gram: Any) -> Any:
    linear, cubic, quintic = POLYNOMIAL
    return linear * ops.eye(gram.shape[-1], dtype=gram.dtype) + cubic * gram + quintic * ops.matmul(gram, gram)


def _is_of_convolution(variable: Any) -> bool:
    return len(variable.shape) >= 4
