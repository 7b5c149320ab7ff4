"""The papers' training settings by name, so that every hyperparameter stands in one place with its source.

Imports no torch: `--help` lists the recipes. A number without a source is marked "ours".
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sanity import data, options
from sanity.errors import UserError, unknown

Epochs = Annotated[float, Field(ge=0)]


def _listed(value: Any) -> Any:
    """`80,120` as the command line gives it."""
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    epochs: passes over the training set; where they alone are changed, milestones and warm-up are scaled with them.
    batch_size: examples a step.
    optimizer: adam, adamw and adadelta keep their published coefficients.
    lr: the learning rate before any decay, at the peak of one_cycle.
    momentum: of sgd.
    nesterov: of sgd.
    weight_decay: added to the gradient (sgd, adam, adadelta) or to the step (adamw).
    decay_norm: whether batch-norm parameters and biases are decayed too, as in every paper's code.
    schedule: how the learning rate falls.
    milestones: steps: the epochs after which the learning rate is multiplied by gamma; may be fractions of one.
    gamma: steps, plateau: the factor.
    patience: plateau: epochs without a lower training loss before the learning rate is multiplied by gamma.
    warmup_epochs: the learning rate rises linearly from 0 over these epochs (one_cycle: reaches its peak there; 0 means
        30 %).
    crop_padding: zeros around the image before a random crop back to its size.
    flip: mirror each image left to right with probability 1/2.
    normalise: channel mean and deviation: the training set's (dataset); its mean and the mean of the images' own
        deviations (per_image_std: the 0.2023, 0.1994, 0.2010 that much CIFAR-10 code carries); ImageNet's; or pixels /
        255 as they are (none).
    drop_last: whether the last batch of an epoch is left out where it is not full.
    holdout: fraction of the training set that is set aside and never trained on; drawn anew for each seed.
    """

    epochs: Annotated[int, Field(ge=1)] = 160
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: Literal["sgd", "adam", "adamw", "adadelta"] = "sgd"
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    decay_norm: bool = True
    schedule: Literal["steps", "cosine", "one_cycle", "plateau", "constant"] = "steps"
    milestones: Annotated[tuple[Epochs, ...], BeforeValidator(_listed)] = ()
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    patience: Annotated[int, Field(ge=1)] = 10
    warmup_epochs: Epochs = 0.0
    crop_padding: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    normalise: Literal["dataset", "per_image_std", "imagenet", "none"] = "dataset"
    drop_last: bool = False
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise UserError(f"recipe.milestones={_text(self.milestones)}: must rise from one to the next")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise UserError("recipe.nesterov=true: needs a momentum above 0, or recipe.nesterov=false")
        if self.warmup_epochs > self.epochs:
            raise UserError(f"recipe.warmup_epochs={self.warmup_epochs:g}: must be at most epochs={self.epochs}")


def _text(epochs: tuple[float, ...]) -> str:
    return ",".join(str(int(epoch) if epoch == int(epoch) else epoch) for epoch in epochs)


def get(name: str, model: str = "", dataset: str = "", **overrides: Any) -> Recipe:
    """The recipe `name` as its paper trains `model` on `dataset`, with `overrides` (text or values) in place of fields.

    Milestones and warm-up keep their place in the run: where only `epochs` is overridden, they are scaled with it.
    The override `for` names the data set that the recipe is meant for, where `dataset` is a copy of it.
    Raises `UserError` for an unknown name or field and for a value out of bounds.
    """
    if name not in _RECIPES:
        raise unknown("recipe", name, _RECIPES)
    meant = str(overrides.pop("for", dataset))
    if meant != dataset and meant not in data.REGISTRY.names():
        raise unknown("recipe.for", meant, data.REGISTRY.names())
    fields = asdict(_RECIPES[name](model, meant))
    given = options.fill(Recipe, {**fields, **overrides, "milestones": (), "warmup_epochs": 0}, "recipe")
    scale = given.epochs / fields["epochs"]
    fields["milestones"] = tuple(milestone * scale for milestone in fields["milestones"])
    fields["warmup_epochs"] *= scale
    return options.fill(Recipe, {**fields, **overrides}, "recipe")


def about(name: str) -> str:
    """What is said of the recipe `name`."""
    return inspect.cleandoc(_RECIPES[name].__doc__ or "")


def summary(name: str) -> str:
    """One line about the recipe `name`."""
    return about(name).splitlines()[0]


def describe(recipe: Recipe) -> str:
    """The recipe on one line, as keys that the command line takes."""
    shown = {key: _text(value) if key == "milestones" else str(value) for key, value in asdict(recipe).items()}
    return " ".join(f"recipe.{key}={value.lower()}" for key, value in shown.items())


def _images(dataset: str) -> dict[str, Any]:
    """Crop and flip as every paper here augments CIFAR and Tiny-ImageNet. None on grey images: a mirrored digit is
    another character, and Frankle et al. 2021 and Lee et al. 2019 train MNIST without."""
    grey = dataset in ("digits", "mnist", "fashion_mnist")
    return {"crop_padding": 0 if grey else 4, "flip": not grey}


def _quick(model: str, dataset: str) -> Recipe:
    """Seconds on two cores: for scikit-learn's digits and for trying things out (ours)"""
    epochs = 60 if model.startswith("lenet") else 12  # LeNet's are twenty times cheaper, and it learns slower
    return Recipe(epochs=epochs, batch_size=64, nesterov=True, weight_decay=5e-4, schedule="one_cycle")


def _su2020(model: str, dataset: str) -> Recipe:
    """Su et al. 2020: batch 64, lr 0.1 / 10 at 1/2 and 3/4 of 160 epochs, weight decay 1e-4

    Code: JingtongSu/sanity-checking-pruning. Tiny-ImageNet 300 epochs. CIFAR-10's deviations are the images' own.
    """
    epochs = 300 if dataset == "tiny_imagenet" else 160
    return Recipe(
        epochs=epochs,
        batch_size=64,
        weight_decay=1e-4,  # the code's default for both networks, never overridden in its commands
        milestones=(epochs / 2, epochs * 3 / 4),
        normalise="per_image_std" if dataset == "cifar10" else "dataset",
        **_images(dataset),
    )


def _wang2020(model: str, dataset: str) -> Recipe:
    """Wang et al. 2020 (GraSP): batch 128, weight decay 5e-4 for VGG and 1e-4 for ResNet, else as su2020

    Code: the configs of alecwangcq/GraSP. Other networks than VGG: 1e-4 (ours).
    """
    epochs = 300 if dataset == "tiny_imagenet" else 160
    return Recipe(
        epochs=epochs,
        batch_size=128,
        weight_decay=5e-4 if model.startswith("vgg") else 1e-4,
        milestones=(epochs / 2, epochs * 3 / 4),
        normalise="per_image_std" if dataset == "cifar10" else "dataset",
        **_images(dataset),
    )


def _frankle2021(model: str, dataset: str) -> Recipe:
    """Frankle et al. 2021 (Missing the Mark): per network, lr 0.1 / 10 at 80 and 120 of 160 epochs on CIFAR-10

    Code: facebookresearch/open_lth and its fork for the paper. LeNet-300-100: plain SGD, 40 epochs. Tiny-ImageNet's
    crop is ours: theirs was not seen.
    """
    if model.startswith("lenet"):
        return Recipe(epochs=40, batch_size=128, lr=0.1, momentum=0.0, schedule="constant")
    if dataset == "tiny_imagenet":
        return Recipe(
            epochs=200,
            batch_size=256,
            lr=0.2,
            milestones=(100, 150),
            warmup_epochs=5,
            weight_decay=1e-4,
            normalise="imagenet",
            **_images(dataset),
        )
    grey = not _images(dataset)["flip"]
    normalise: Any = "dataset" if grey else "imagenet"
    return Recipe(epochs=160, milestones=(80, 120), weight_decay=1e-4, normalise=normalise, **_images(dataset))


def _renda2020(model: str, dataset: str) -> Recipe:
    """Renda et al. 2020 (Rewinding): 182 epochs, lr 0.1 / 10 at 91 and 136, weight decay 5e-4 VGG, 2e-4 ResNet

    Code: lottery-ticket/rewinding-iclr20-public; the decay is of w^2 / 2, as here.
    """
    decay = 5e-4 if model.startswith("vgg") else 2e-4
    return Recipe(epochs=182, milestones=(91, 136), weight_decay=decay, **_images(dataset))


def _lee2019(model: str, dataset: str) -> Recipe:
    """Lee et al. 2019 (SNIP): lr 0.1 / 10 every 25k (MNIST) or 30k (CIFAR) iterations, 10 % held out

    Section 5. The paper does not state how long it trains; 250 epochs are those of the re-implementation mil-ad/snip.
    The translation by up to 4 pixels is the zero-padded crop.
    """
    grey, _ = _lee2019_steps(dataset)
    return _lee2019_schedule(dataset, epochs=250, interval=25_000 if grey else 30_000)


def _lee2019_code(model: str, dataset: str) -> Recipe:
    """Lee et al. 2019 (SNIP), released code: MNIST 10,000 iterations of plain SGD at lr 0.1, 10 % held out

    Defaults of namhoonlee/snip-public (MNIST), without the paper's momentum and learning-rate decay; rounded up to
    whole epochs.
    Images in colour as its README trains VGG-D: 150,000 iterations, lr x 0.2 after each 30,000 but the last.
    """
    grey, steps = _lee2019_steps(dataset)
    if grey:
        return replace(_lee2019_schedule(dataset, epochs=-(-10_000 // steps)), momentum=0.0, schedule="constant")
    return replace(_lee2019_schedule(dataset, epochs=-(-150_000 // steps), interval=30_000, last=4), gamma=0.2)


def _lee2019_steps(dataset: str) -> tuple[bool, int]:
    """Whether the images are grey, and the steps of an epoch without the tenth that is held out."""
    grey = not _images(dataset)["flip"]
    examples = {"digits": 1200, "tiny_imagenet": 100_000}.get(dataset, 60_000 if grey else 50_000)
    return grey, -(-(examples - int(0.1 * examples)) // (100 if grey else 128))


def _lee2019_schedule(dataset: str, epochs: int, interval: int | None = None, last: int | None = None) -> Recipe:
    """What paper and code share; the learning rate falls every `interval` steps, `last` times at most."""
    grey, steps = _lee2019_steps(dataset)
    drops = range(1, 1 + epochs * steps // interval) if interval else range(0)
    moments = [(interval or 0) * drop / steps for drop in drops]
    return Recipe(
        epochs=epochs,
        batch_size=100 if grey else 128,
        milestones=tuple(moment for moment in moments if moment < epochs)[:last],
        weight_decay=5e-4,
        holdout=0.1,
        **_images(dataset),
    )


def _tanaka2020(model: str, dataset: str) -> Recipe:
    """Tanaka et al. 2020 (SynFlow): batch 128, Nesterov, lr 0.1 / 10 at 60 and 120 of 160 epochs, weight decay 1e-4

    Code: the args.json of ganguli-lab/Synaptic-Flow's VGG runs on CIFAR; its other networks' settings were not seen.
    """
    return Recipe(epochs=160, milestones=(60, 120), nesterov=True, weight_decay=1e-4, **_images(dataset))


def _atanov2021(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021, a reproduction of Su et al.: its GraSP part, batch 128, weight decay 5e-4 VGG, 1e-4 ResNet

    Code: CS-433/cs-433-project-2-answer42.
    """
    decay = 5e-4 if model.startswith("vgg") else 1e-4
    return Recipe(epochs=160, batch_size=128, milestones=(80, 120), weight_decay=decay, **_images(dataset))


def _atanov2021_snip(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021: its SNIP, rewinding and hybrid parts, batch 64, weight decay 1e-4"""
    return Recipe(epochs=160, batch_size=64, milestones=(80, 120), weight_decay=1e-4, **_images(dataset))


def _atanov2021_random(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021: its random tickets, batch 128, weight decay 5e-4 for both networks"""
    return Recipe(epochs=160, batch_size=128, milestones=(80, 120), weight_decay=5e-4, **_images(dataset))


_RECIPES: dict[str, Callable[[str, str], Recipe]] = {
    "quick": _quick,
    "su2020": _su2020,
    "wang2020": _wang2020,
    "frankle2021": _frankle2021,
    "renda2020": _renda2020,
    "lee2019": _lee2019,
    "lee2019_code": _lee2019_code,
    "tanaka2020": _tanaka2020,
    "atanov2021": _atanov2021,
    "atanov2021_snip": _atanov2021_snip,
    "atanov2021_random": _atanov2021_random,
}
NAMES = tuple(_RECIPES)
