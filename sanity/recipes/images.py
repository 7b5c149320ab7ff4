"""Says how the papers here augment and normalise images, by data set."""

from typing import Any


def augmentation(dataset: str) -> dict[str, Any]:
    """Returns the crop and flip of all these papers on CIFAR and Tiny-ImageNet; none for grey images.

    A mirrored digit is another character, and Frankle et al. 2021 and Lee et al. 2019 train MNIST without augmentation.
    Photographs of ImageNet are cropped at random as usual: 8 to 100 % of the area (Szegedy et al. 2015).
    """
    if dataset == "imagenet":
        return {"crop_scale": (0.08, 1.0), "flip": True}
    grey = dataset in ("digits", "mnist", "fashion_mnist")
    return {"crop_padding": 0 if grey else 4, "flip": not grey}


def on_cifar10(dataset: str, normalise: str) -> Any:
    """Returns `normalise` for CIFAR-10, whose constants here differ from some papers'; else the data set's own."""
    return normalise if dataset == "cifar10" else "dataset"
