"""Stochastic gradient descent as the papers mean it."""

from typing import Any

import keras
from keras import ops

from resnet.finetuning import is_of_head


@keras.saving.register_keras_serializable("resnet")
class SGD(keras.optimizers.SGD):
    """Momentum SGD whose weight decay is part of the gradient, on kernels only.

    Keras' own `weight_decay` shrinks the weights beside the momentum (decoupled, arXiv 1711.05101), which at
    momentum 0.9 is a tenth of what the papers' 1e-4 does.

    Args:
        body_rate: The learning rate of all but the last layer, as a share of the whole one. Gradients are scaled by
            it, which momentum, being linear, hands on.

    Source: He et al. 2015, section 4.2.
    """

    def __init__(
        self, learning_rate: Any = 0.1, *, kernel_decay: float = 1e-4, body_rate: float = 1.0, **arguments: Any
    ) -> None:
        super().__init__(learning_rate, **arguments)
        self.kernel_decay = kernel_decay
        self.body_rate = body_rate

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Update the variables."""
        # Here, and not in update_step, every backend still hands on Keras' own variables, which know their names.
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        decayed = [self._with_decay(*pair) for pair in zip(grads, variables, strict=True)]
        scaled = [self._at_its_rate(*pair) for pair in zip(decayed, variables, strict=True)]
        return super().apply(scaled, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable and its velocity; by TensorFlow's one kernel for both, where that is the backend.

        Keras' own takes up to eight, and each goes over the memory.
        """
        if keras.backend.backend() != "tensorflow" or not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        velocity = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )

    def _with_decay(self, gradient: Any, variable: Any) -> Any:
        if gradient is None or variable.name != "kernel" or not self.kernel_decay:
            return gradient
        # On several devices each adds its share, since their gradients are summed after this.
        strategy = getattr(self, "_distribution_strategy", None)
        share = self.kernel_decay / (strategy.num_replicas_in_sync if strategy else 1)
        return ops.add(gradient, ops.multiply(ops.cast(variable, gradient.dtype), share))

    def _at_its_rate(self, gradient: Any, variable: Any) -> Any:
        if gradient is None or self.body_rate == 1 or is_of_head(variable):
            return gradient
        return ops.multiply(gradient, self.body_rate)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"kernel_decay": self.kernel_decay, "body_rate": self.body_rate}
