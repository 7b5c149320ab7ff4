"""Defines a recipe: the hyperparameters of training."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sanity.errors import UserError

Epochs = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _listed(value: Any) -> Any:
    """Splits text such as `80,120` from the command line."""
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


@dataclass(frozen=True)
class Recipe:
    """Holds the hyperparameters of training.

    No paper's recipe here uses Adam, AdamW, Adadelta or the plateau schedule. They are options of the code of
    mshalimay/Pruning-Lottery-Tickets-and-Early-Birds-with-Pytorch, and are set by keys (recipe.optimizer=adam).

    epochs: passes over the training set; milestones and warm-up scale with them unless they are set too.
    batch_size: examples a step.
    optimizer: adadelta keeps its published coefficients.
    lr: the learning rate before any decay, at the peak of one_cycle.
    momentum: of sgd.
    nesterov: of sgd.
    betas: of adam and adamw: the decay rates of the two moments.
    weight_decay: added to the gradient (sgd, adam, adadelta) or to the step (adamw).
    decay_norm: whether the scales and shifts of normalisation layers are decayed too, as in all code here but SNIP's.
    decay_bias: whether biases are decayed too, and what a network's own `no_weight_decay()` names (class tokens and
        position embeddings, in timm). Recipes for transformers decay neither these nor norms.
    l1_norm: strength of an L1 penalty on the scales of batch norm, whose sign times it is added to their gradients
        (network slimming: 1e-4).
    clip_norm: the largest norm of all gradients of kept weights together; longer ones are scaled down to it (null: not
        at all).
    label_smoothing: the share of each target that is spread over all classes while training; test losses have none.
    schedule: how the learning rate falls.
    milestones: steps: the epochs after which the learning rate is multiplied by gamma; may be fractions of one.
    gamma: steps, plateau: the factor.
    patience: plateau: epochs without a lower loss before the learning rate is multiplied by gamma.
    plateau_on: plateau: the loss that is watched. That code watches the test loss (of its best epoch so far): the
        learning rate then depends on the test set, and test accuracies are no longer those of unseen data.
    min_lr: plateau: the learning rate does not fall below it (0.0005 in that code).
    warmup_epochs: the learning rate rises linearly from 0 over these epochs (one_cycle: reaches its peak there; 0 means
        30 %).
    crop_padding: zeros around the image before a random crop back to its size.
    crop_scale: random crops of this share of an image's area, from least to most, resized to the images' size
        (ImageNet: 0.08,1); null: none. Images that stay in their files and are reframed (`dataset.resize`) are cropped
        from the whole file, others as they are held.
    crop_ratio: of crop_scale: the least and the largest width by height.
    flip: mirror each image left to right with probability 1/2.
    normalise: channel mean and deviation: the constants that the data set carries, else its pixels' own (dataset; for
        cifar10 the deviations are those of per_image_std, rounded); mean and deviation over all pixels of the training
        set (pixel_std; for CIFAR-10 0.247, 0.243, 0.262); the data set's mean and the mean of the images' own
        deviations (per_image_std: the 0.2023, 0.1994, 0.2010 that much CIFAR-10 code carries); ImageNet's; those of
        Frankle et al.'s code for Tiny-ImageNet, about pixels / 255 / 1.2 (frankle2021_tiny); or pixels / 255 as they
        are (none).
    drop_last: whether the last batch of an epoch is left out where it is not full.
    holdout: fraction of the training set that is set aside and never trained on; drawn anew for each seed.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 160
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    optimizer: Literal["sgd", "adam", "adamw", "adadelta"] = "sgd"
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    betas: Annotated[tuple[Beta, Beta], BeforeValidator(_listed)] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    decay_norm: bool = True
    decay_bias: bool = True
    l1_norm: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    clip_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    schedule: Literal["steps", "cosine", "one_cycle", "plateau", "constant"] = "steps"
    milestones: Annotated[tuple[Epochs, ...], BeforeValidator(_listed)] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    patience: Annotated[int, Field(ge=1)] = 10
    plateau_on: Literal["train", "test"] = "train"
    min_lr: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    warmup_epochs: Epochs = 0.0
    crop_padding: Annotated[int, Field(ge=0)] = 0
    crop_scale: Annotated[tuple[Share, Share], BeforeValidator(_listed)] | None = None
    crop_ratio: Annotated[tuple[Ratio, Ratio], BeforeValidator(_listed)] = (3 / 4, 4 / 3)
    flip: bool = False
    normalise: Literal["dataset", "pixel_std", "per_image_std", "imagenet", "frankle2021_tiny", "none"] = "dataset"
    drop_last: bool = False
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise UserError(f"recipe.milestones={_text(self.milestones)}: must rise from one to the next")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise UserError("recipe.nesterov=true: needs a momentum above 0, or recipe.nesterov=false")
        for name, limits in (("crop_scale", self.crop_scale), ("crop_ratio", self.crop_ratio)):
            if limits is not None and limits[0] > limits[1]:
                raise UserError(
                    f"recipe.{name}={_text(limits)}: the first is the least, and must not exceed the second"
                )
        if self.crop_scale is not None and self.crop_padding:
            raise UserError(f"recipe.crop_scale and recipe.crop_padding={self.crop_padding} both crop; set one of them")
        if self.warmup_epochs > self.epochs:
            raise UserError(f"recipe.warmup_epochs={self.warmup_epochs:g}: must be at most epochs={self.epochs}")


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(str(int(number) if number == int(number) else number) for number in numbers)


def describe(recipe: Recipe) -> str:
    """Writes the recipe on one line, as keys that the command line takes."""
    values = {key: "null" if value is None else value for key, value in asdict(recipe).items()}
    shown = {key: _text(value) if isinstance(value, tuple) else str(value) for key, value in values.items()}
    return " ".join(f"recipe.{key}={value.lower()}" for key, value in shown.items())


def complete(described: str) -> str:
    """Returns the description of a recipe with every option that it lacks, as written before that option existed.

    An option that comes later does nothing unless it is set, so that its default is what the older recipe did. What
    `described` says itself is kept as it is, options of today's `describe` first.
    """
    said = dict(item.partition("=")[::2] for item in described.split())
    default = dict(item.partition("=")[::2] for item in describe(Recipe()).split())
    if not said.keys() & default.keys():
        return described
    return " ".join(f"{key}={value}" for key, value in {**default, **said}.items())
