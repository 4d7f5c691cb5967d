"""params.yaml as frozen, typed sections: read whole and checked whole before any stage does anything.

Nothing has a hidden default: what the file does not say is refused.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from resnet.variants import IMAGENET_WEIGHTS, Shortcut, Stem, stem_for, variant, widened
from stages.errors import BadInput
from stages.sections import Section, checked
from stages.yaml_files import read_yaml


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL, which no path can hold; remove it")
    return text


def _known_network(name: str) -> str:
    return variant(name).name


Text = Annotated[str, Field(min_length=1), AfterValidator(_without_nul)]
Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
# What is above these would take longer than anyone waits, or be no number to TensorFlow.
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Threads = Annotated[int, Field(ge=1, le=1024)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
Rate = Annotated[float, Field(gt=0, le=1e30)]
Severity = Literal["fail", "warn"]


class DataParams(Section):
    """Where the images come from and what prepare makes of them."""

    path: Text
    root: Text
    image_size: Annotated[int, Field(ge=8, le=1024)]
    validation_fraction: Fraction
    test_fraction: Fraction

    @model_validator(mode="after")
    def _keeps_to_the_images(self) -> Self:
        if Path(self.root) == Path():
            raise ValueError(f"root is {self.root!r}; expected a folder that holds images and not the whole project")
        return self

    @model_validator(mode="after")
    def _leaves_images_to_train_on(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"validation_fraction {self.validation_fraction} and test_fraction {self.test_fraction} leave nothing "
                "to train on; their sum must be below 1"
            )
        return self


class Rule(Section):
    """A rule of validate that some share of the images may break."""

    tolerated: Share
    severity: Severity


class RangeRule(Rule):
    """A rule that holds between two bounds, both allowed."""

    at_least: float
    at_most: float

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self


class ChannelsRule(Rule):
    """The numbers of channels that files may have."""

    allowed: Annotated[list[Positive], Field(min_length=1)]


class FloorRule(Section):
    """A rule that holds from a bound up."""

    at_least: NotNegative
    severity: Severity


class SplitSharesRule(Section):
    """The least share of all images that each split must have."""

    train: Share
    validation: Share
    test: Share
    severity: Severity


class NearDuplicates(Section):
    """What counts as the same picture, up to re-encoding: that many of the perceptual hash's 64 bits may differ."""

    distance: Annotated[int, Field(ge=0, le=8)]


class ValidateParams(Section):
    """What must hold of the images before anything is trained on them."""

    decodable: Rule
    side: RangeRule
    channels: ChannelsRule
    known_labels: Rule
    smallest_class: FloorRule
    class_balance: FloorRule
    split_shares: SplitSharesRule
    brightness: RangeRule
    contrast: RangeRule
    near_duplicates: NearDuplicates
    duplicates_within_split: Rule
    duplicates_across_splits: Rule
    near_duplicates_within_split: Rule
    near_duplicates_across_splits: Rule
    label_conflicts_within_split: Rule
    label_conflicts_across_splits: Rule


class ModelParams(Section):
    """The network."""

    name: Annotated[str, AfterValidator(_known_network)]
    shortcut: Shortcut | None
    stem: Stem | None
    width: Annotated[float, Field(gt=0)]
    two_views: bool
    weights: Text | None
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None

    @model_validator(mode="after")
    def _starts_from_what_is_known(self) -> Self:
        if self.weights == "imagenet" and self.name not in IMAGENET_WEIGHTS:
            raise ValueError(
                f"weights is imagenet, and keras.applications has none for {self.name}; "
                f"it has them for {', '.join(IMAGENET_WEIGHTS)}"
            )
        if self.weights is not None and os.path.abspath(self.weights) == os.path.abspath("models/model.keras"):
            raise ValueError(
                f"weights is {self.weights}, which the training itself replaces; copy it to another place first"
            )
        is_file = self.weights not in (None, "imagenet")
        if is_file and self.weights_sha256 is None:
            raise ValueError(f"weights is a file, which must be pinned; set weights_sha256 (sha256sum {self.weights})")
        if not is_file and self.weights_sha256 is not None:
            raise ValueError("weights_sha256 pins a file, and weights names none; set weights_sha256: null")
        return self


class TrainParams(Section):
    """How it is trained; `resnet.Recipe` explains the keys that both have."""

    epochs: Positive
    batch_size: Positive
    optimizer: Literal["sgd", "muon"]
    learning_rate: Rate
    body_learning_rate: Annotated[float, Field(ge=0, le=1)]
    schedule: Literal["cosine", "step"]
    milestones: list[Annotated[float, Field(gt=0, lt=1)]]
    warmup_epochs: NotNegative
    momentum: Fraction
    nesterov: bool
    weight_decay: NotNegative
    label_smoothing: Fraction
    mixup: NotNegative
    ema_decay: Fraction
    class_weights: Literal["none", "balanced"]
    sampling: Literal["shuffled", "balanced"]
    crop_padding: Annotated[int, Field(ge=0)]
    horizontal_flip: bool
    patience: Positive | None
    keep: Literal["last", "best"]
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    jit: Literal["auto", True, False]
    rematerialize: bool
    deterministic: bool
    device: Literal["cpu", "gpu"]
    devices: Threads
    threads: Threads
    instruction_set: Literal["avx2", "native"]
    checkpoint_seconds: NotNegative
    tensorboard: bool

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} is more than epochs {self.epochs}")
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones {self.milestones} must rise")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0; set nesterov: false or momentum: 0.9")
        if self.batch_size % self.devices:
            raise ValueError(
                f"batch_size {self.batch_size} cannot be shared equally among devices {self.devices}; "
                "make it a multiple of them"
            )
        if self.jit is True and self.deterministic:
            raise ValueError(
                "jit: true asks for XLA, which Keras leaves out while TensorFlow is deterministic; "
                "set jit: auto, or deterministic: false"
            )
        if self.class_weights == self.sampling == "balanced":
            raise ValueError(
                "class_weights and sampling are both balanced, which makes up for rare classes twice; "
                "leave one of them balanced"
            )
        return self


class BootstrapParams(Section):
    """The intervals around what is measured."""

    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    level: Annotated[float, Field(gt=0, le=0.9999)]


class GradientParams(Section):
    """The comparison of the untrained network with its plain twin."""

    images: Positive
    steps: Annotated[int, Field(ge=1, le=10_000)]
    learning_rate: Rate


class EvaluateParams(Section):
    """How the model is measured."""

    batch_size: Positive
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    bootstrap: BootstrapParams
    corrupted_images: Positive
    gradients: GradientParams
    threads: Threads


class GateParams(Section):
    """When a newly trained model may take the champion's place."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    margin: Share
    worst_class_recall: Share
    calibration_error: Share
    model_megabytes: Annotated[float, Field(gt=0)]
    latency_ratio: Annotated[float, Field(gt=0)]
    drift_warning: Share


class ReportParams(Section):
    """What the report shows."""

    title: Text
    intended_use: Text
    worst_classes: Positive
    pictures: Annotated[int, Field(ge=0, le=200)]


class Params(Section):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    data: DataParams
    validate_: Annotated[ValidateParams, Field(alias="validate")]
    model: ModelParams
    train: TrainParams
    evaluate: EvaluateParams
    gate: GateParams
    report: ReportParams

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        row, size = variant(self.model.name), self.data.image_size
        row = replace(row, stem=self.model.stem or stem_for(row, (size, size, 3)))
        if size < row.minimum_size:
            raise ValueError(
                f"data.image_size is {size}, and {row.name} needs images of {row.minimum_size} pixels or more; "
                "raise data.image_size or choose a network of the CIFAR family (python -m resnet list)"
            )
        try:
            widened(row, self.model.width)
        except ValueError as error:
            raise ValueError(f"model.{error}") from error
        if self.train.crop_padding >= size:
            raise ValueError(
                f"train.crop_padding is {self.train.crop_padding}; it must be below data.image_size, {size}"
            )
        if self.model.two_views and not self.train.horizontal_flip:
            raise ValueError(
                "model.two_views asks for mirror images too, of which train.horizontal_flip: false shows none; "
                "set train.horizontal_flip: true, or model.two_views: false where left and right mean something"
            )
        if self.model.weights is None and not self.train.body_learning_rate:
            raise ValueError(
                "train.body_learning_rate is 0, and without model.weights that freezes random weights; "
                "name weights, or set it to 1.0"
            )
        return self


def load(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        BadInput: Names each key that is unknown, missing, of a wrong type or impossible, and what would do.
    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise BadInput(f"there is no {path} here; run from the project's root, or name one with --params") from None
    return checked(Params, content, path)
