"""Defines the settings of SNIP's paper and code, and of papers that train LeNets on MNIST by similar ones."""

from dataclasses import replace

from sanity.recipes.images import augmentation, on_cifar10
from sanity.recipes.recipe import Recipe


def lee2019(model: str, dataset: str) -> Recipe:
    """Lee et al. 2019 (SNIP): lr 0.1 / 10 every 25k (MNIST) or 30k (CIFAR) iterations, 10 % held out

    Section 5. The paper does not state how long it trains; 250 epochs are those of the re-implementation mil-ad/snip.
    The translation by up to 4 pixels is the zero-padded crop of every image, and half of the images are flipped; the
    released code applies none, one or both of them at random (it flips a quarter and shifts half of the images) and
    fills with the mean.
    """
    grey, _ = _steps(dataset)
    return _schedule(dataset, epochs=250, interval=25_000 if grey else 30_000)


def lee2019_code(model: str, dataset: str) -> Recipe:
    """Lee et al. 2019 (SNIP), released code: MNIST 10,000 iterations of plain SGD at lr 0.1, 10 % held out

    Defaults of namhoonlee/snip-public (MNIST), without the paper's momentum and learning-rate decay; rounded up to
    whole epochs. Images in colour as its README trains VGG-D: 150,000 iterations, lr x 0.2 after each 30,000 but the
    last. It does not decay batch norm. It reports the best test accuracy of its last checkpoints, ten at most: compare
    with metric=best. Crop and flip are the paper's (see lee2019).
    """
    grey, steps = _steps(dataset)
    if grey:
        return replace(_schedule(dataset, epochs=-(-10_000 // steps)), momentum=0.0, schedule="constant")
    return replace(_schedule(dataset, epochs=-(-150_000 // steps), interval=30_000, last=4), gamma=0.2)


def _steps(dataset: str) -> tuple[bool, int]:
    """Returns whether the images are grey, and the steps of an epoch without the held-out tenth."""
    grey = not augmentation(dataset)["flip"]
    examples = {"digits": 1200, "tiny_imagenet": 100_000}.get(dataset, 60_000 if grey else 50_000)
    return grey, -(-(examples - int(0.1 * examples)) // (100 if grey else 128))


def _schedule(dataset: str, epochs: int, interval: int | None = None, last: int | None = None) -> Recipe:
    """Returns what paper and code share; the learning rate falls every `interval` steps, at most `last` times."""
    grey, steps = _steps(dataset)
    drops = range(1, 1 + epochs * steps // interval) if interval else range(0)
    moments = [(interval or 0) * drop / steps for drop in drops]
    return Recipe(
        epochs=epochs,
        batch_size=100 if grey else 128,
        milestones=tuple(moment for moment in moments if moment < epochs)[:last],
        weight_decay=5e-4,
        holdout=0.1,
        decay_norm=grey,  # grey: LeNets, which have no batch norm
        normalise=on_cifar10(dataset, "pixel_std"),
        **augmentation(dataset),
    )


def gahaalt2019(model: str, dataset: str) -> Recipe:
    """Mikler and Plaszczyk 2019, a reproduction of SNIP: Adam, lr 0.0012 x 0.99 after each of 80 epochs, batch 128

    Report and notebooks of gahaalt/SNIP-pruning. By the report the learning rate decays "most often"; 0.99 and the
    batch are those of the notebooks, which train by SGD. It reports the best of all epochs: compare with metric=best.
    """
    return Recipe(
        epochs=80,
        batch_size=128,
        optimizer="adam",
        lr=0.0012,
        milestones=tuple(range(1, 80)),
        gamma=0.99,
        normalise="pixel_std",
    )


def dettmers2019(model: str, dataset: str) -> Recipe:
    """Dettmers and Zettlemoyer 2019: Nesterov, batch 100, lr 0.1 / 10 every 25k of 54,000 iterations, 10 % held out

    Code: the defaults of TimDettmers/sparse_learning on MNIST; whether its stored results have them is not stated.
    """
    return replace(_schedule(dataset, epochs=100, interval=25_000), nesterov=True)


def ntt2020(model: str, dataset: str) -> Recipe:
    """Liu and Zenke 2020 (NTT): Adam, lr 0.001, batch 64, 50 epochs, weight decay 1e-8, 10 % held out

    Code: the demonstration notebooks of fmi-basel/neural-tangent-transfer. Pixels / 255 as they are (ours).
    """
    return Recipe(
        epochs=50,
        batch_size=64,
        optimizer="adam",
        lr=0.001,
        schedule="constant",
        weight_decay=1e-8,
        holdout=0.1,
        normalise="none",
    )
