"""How a network is trained, as plain data."""

import math
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

_LEAST = {
    **dict.fromkeys(("epochs", "batch_size", "patience"), 1),
    **dict.fromkeys(("body_learning_rate", "warmup_epochs", "momentum", "weight_decay", "label_smoothing"), 0),
    **dict.fromkeys(("mixup", "ema_decay", "crop_padding", "seed"), 0),
}
_BELOW_1 = ("momentum", "label_smoothing", "ema_decay")


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a training but its data and its network.

    The defaults are those of He et al. 2015, section 4.2, but for the cosine, Nesterov's momentum and the epochs:
    the paper trains 64,000 steps, 182 epochs of CIFAR-10.

    Attributes:
        optimizer: `sgd`, the papers', or `muon`, which learns more in few epochs, with a learning rate of about 0.6 for
            batches of 512: convolutions have a twentieth of it.
        learning_rate: At its peak, for this batch size.
        body_learning_rate: Of all but the last layer, as a share of `learning_rate`, for a network that was trained
            before; 0 freezes the body.
        schedule: `cosine` to zero, or `step`: a tenth at each milestone.
        milestones: Shares of the training, for `step`.
        warmup_epochs: Epochs of linear warm-up.
        weight_decay: Part of the gradient; kernels only. Muon has it beside the gradient, by as much a step.
        label_smoothing: The share of a target that is given to all classes.
        mixup: The parameter of mixup's beta distribution; 0 is none.
        ema_decay: The decay, a step, of the moving average of the weights that is evaluated and kept;
            0 keeps the weights themselves.
        class_weights: `balanced` weighs an image by how rare its class is; mixup and label smoothing keep to it.
        sampling: `balanced` shows equally many images of each class in an epoch; `shuffled` shows each image once.
        crop_padding: Pixels by which an image is padded before a window of its size is cut; 0 is none.
        horizontal_flip: Mirror each image in every other epoch; wrong where left and right mean something.
        patience: Epochs without a better validation loss before training stops early; None never stops.
        keep: The weights of the last epoch, or of the best by validation.
        jit: Compile the step with XLA, which pays on a GPU and slows a CPU; under JAX every step is.
    """

    epochs: int = 90
    batch_size: int = 128
    optimizer: Literal["sgd", "muon"] = "sgd"
    learning_rate: float = 0.1
    body_learning_rate: float = 1.0
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    mixup: float = 0.0
    ema_decay: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    crop_padding: int = 4
    horizontal_flip: bool = True
    patience: int | None = None
    keep: Literal["last", "best"] = "last"
    jit: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_types()
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) is not None and not value >= least:
                raise ValueError(f"{name} is {value}; expected {least} or more")
        for name in _BELOW_1:
            if not (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} is {value}; expected less than 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; expected more than 0")
        if list(self.milestones) != sorted(set(self.milestones)) or not all(0 < each < 1 for each in self.milestones):
            raise ValueError(f"milestones are {self.milestones}; expected shares of the training that rise")
        if self.class_weights == self.sampling == "balanced":
            raise ValueError(
                "class_weights and sampling are both balanced, which would make up for rare classes twice; "
                "set class_weights: none or sampling: shuffled"
            )

    def _check_types(self) -> None:
        try:
            object.__setattr__(self, "milestones", tuple(float(each) for each in self.milestones))
        except (TypeError, ValueError) as error:
            raise ValueError(f"milestones are {self.milestones!r}; expected numbers, such as (0.5, 0.75)") from error
        for name, kind in get_type_hints(type(self)).items():
            if hasattr(number := getattr(self, name), "item"):
                # One of NumPy's, of which a checkpoint could not tell in JSON.
                object.__setattr__(self, name, number.item())
            value, choices = getattr(self, name), get_args(kind)
            if get_origin(kind) is Literal and value not in choices:
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")
            if int in (kind, *choices) and (not isinstance(value, kind) or isinstance(value, bool)):
                raise ValueError(f"{name} is {value!r}; expected a whole number")
            if kind is float and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ValueError(f"{name} is {value!r}; expected a number")
            if kind is bool and not isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}; expected True or False")
