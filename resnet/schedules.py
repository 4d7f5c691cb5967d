"""How the learning rate moves, as a function of the step."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule, PiecewiseConstantDecay


@keras.saving.register_keras_serializable("resnet")
class WarmUp(LearningRateSchedule):
    """A schedule that starts from (almost) nothing: linear over its first steps.

    Source: Goyal et al. 2017 (arXiv 1706.02677), section 2.2.
    Differs: He et al. 2015 warm ResNet-110 up at a constant 0.01; Goyal et al. also correct the
        momentum where the rate changes.
    """

    def __init__(self, schedule: LearningRateSchedule, steps: int) -> None:
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        done = (ops.cast(step, "float32") + 1) / max(1, self.steps)
        return self.schedule(step) * ops.minimum(1.0, done)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WarmUp":
        """Make one of what get_config gave."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps"])

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "steps": self.steps}


def cosine(learning_rate: float, steps: int) -> LearningRateSchedule:
    """Fall to zero along half a cosine.

    Source: Loshchilov and Hutter 2017 (arXiv 1608.03983).
    """
    return CosineDecay(learning_rate, steps)


def step(learning_rate: float, steps: int, milestones: Sequence[float]) -> LearningRateSchedule:
    """Divide by ten at each milestone, a share of all steps.

    Source: He et al. 2015, section 4.2: at 32k and 48k of 64k steps.
    """
    # Keras counts steps from 0 and means by a boundary the last step of the former rate.
    boundaries = [round(steps * share) - 1 for share in milestones]
    rates = [learning_rate / 10**n for n in range(len(milestones) + 1)]
    # Keras needs a boundary even where there is no milestone: the end.
    return PiecewiseConstantDecay([*boundaries, steps], [*rates, rates[-1]])
