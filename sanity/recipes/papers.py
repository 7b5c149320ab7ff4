"""Defines the papers' training settings; every hyperparameter stands here once, with its source.

A number without a source is marked "ours".
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sanity.recipes import mnist_papers
from sanity.recipes.images import augmentation, on_cifar10
from sanity.recipes.recipe import Recipe


def _quick(model: str, dataset: str) -> Recipe:
    """Seconds on two cores: for scikit-learn's digits and for trying things out (ours)"""
    epochs = 60 if model.startswith("lenet") else 12  # LeNet needs more epochs, each a twentieth of ResNet's cost
    return Recipe(epochs=epochs, batch_size=64, nesterov=True, weight_decay=5e-4, schedule="one_cycle")


def _short(model: str, dataset: str) -> Recipe:
    """Ten epochs: for reference sets on MNIST, which papers' recipes train for 50 to 250 (ours)"""
    return Recipe(
        epochs=10, batch_size=128, nesterov=True, weight_decay=5e-4, schedule="one_cycle", **augmentation(dataset)
    )


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
        normalise=on_cifar10(dataset, "per_image_std"),
        **augmentation(dataset),
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
        normalise=on_cifar10(dataset, "per_image_std"),
        **augmentation(dataset),
    )


def _frankle_carbin2019(model: str, dataset: str) -> Recipe:
    """Frankle and Carbin 2019 (lottery tickets): Adam, batch 60, per network 20,000 to 50,000 iterations

    Figure 2 of the paper: learning rate 0.0012 for LeNet-300-100, 0.0002 for Conv-2, 0.0003 for Conv-4 and Conv-6.
    Whole epochs as in the code of Zhou et al. 2019; 5,000 images held out, no augmentation, pixels / 255. VGGs and
    ResNets by appendix I: SGD, weight decay 1e-4, augmentation; VGGs in batches of 64, 160 epochs of 703 iterations,
    ResNets in batches of 128, x 0.1 at 20,000 and 25,000 of 30,000 iterations (86 whole epochs of 351). Other networks
    as Conv-6 (ours).
    """
    if model.startswith(("vgg", "resnet")):
        is_vgg, of_epoch = model.startswith("vgg"), 351
        return Recipe(
            epochs=160 if is_vgg else 86,
            batch_size=64 if is_vgg else 128,
            milestones=(80, 120) if is_vgg else (20_000 / of_epoch, 25_000 / of_epoch),
            weight_decay=1e-4,
            holdout=0.1,
            drop_last=True,
            **augmentation(dataset),
        )
    epochs, lr = {"lenet_300_100": (55, 0.0012), "conv2": (27, 0.0002), "conv4": (34, 0.0003)}.get(model, (40, 0.0003))
    return Recipe(
        epochs=epochs,
        batch_size=60,
        optimizer="adam",
        lr=lr,
        schedule="constant",
        holdout=1 / 12 if dataset in ("mnist", "fashion_mnist") else 0.1,
        normalise="none",
    )


def _frankle2021(model: str, dataset: str) -> Recipe:
    """Frankle et al. 2021 (Missing the Mark): per network, lr 0.1 / 10 at 80 and 120 of 160 epochs on CIFAR-10

    Code: facebookresearch/open_lth and its fork for the paper. LeNet-300-100: plain SGD, 40 epochs. Tiny-ImageNet
    as for its ResNet-18 with a 3x3 stem, which is the one here; its other one, with a 7x7 stem (model.stem=large),
    trains on random crops of 10 to 100 % of an image, resized: recipe.crop_padding=0 recipe.crop_scale=0.1,1
    recipe.crop_ratio=0.8,1.25. Its constants there suppose that the images are already normalised. ImageNet: as OpenLTH
    trains ResNet-50, lr 0.4 for batches of 1024, 5 epochs of warm-up, 90 epochs.
    """
    if model.startswith("lenet"):
        return Recipe(epochs=40, batch_size=128, lr=0.1, momentum=0.0, schedule="constant")
    if dataset == "imagenet":
        large = replace(_goyal2017(model, dataset), batch_size=1024, lr=0.4, nesterov=False, decay_norm=True)
        return replace(large, crop_scale=(0.1, 1.0), crop_ratio=(0.8, 1.25))
    if dataset == "tiny_imagenet":
        return Recipe(
            epochs=200,
            batch_size=256,
            lr=0.2,
            milestones=(100, 150),
            warmup_epochs=5,
            weight_decay=1e-4,
            normalise="frankle2021_tiny",
            **augmentation(dataset),
        )
    grey = not augmentation(dataset)["flip"]
    normalise: Any = "dataset" if grey else "imagenet"
    return Recipe(epochs=160, milestones=(80, 120), weight_decay=1e-4, normalise=normalise, **augmentation(dataset))


def _renda2020(model: str, dataset: str) -> Recipe:
    """Renda et al. 2020 (Rewinding): 182 epochs, lr 0.1 / 10 at 91 and 136, weight decay 5e-4 VGG, 2e-4 ResNet

    Code: lottery-ticket/rewinding-iclr20-public; the decay is of w^2 / 2, as here. It standardises each image by itself
    where this recipe takes the constants of the training set, and its batches run on across epochs, so that 84 of its
    71,093 steps have the learning rate of the step beside them. ImageNet: its ResNet-50, on TPUs: lr 0.4 for batches of
    1024, Nesterov, 5 epochs of warm-up, 90 epochs, no decay of batch norm (init=renda2020); it resizes bicubically,
    here bilinearly.
    """
    if dataset == "imagenet":
        return replace(_goyal2017(model, dataset), batch_size=1024, lr=0.4)
    decay = 5e-4 if model.startswith("vgg") else 2e-4
    return Recipe(epochs=182, milestones=(91, 136), weight_decay=decay, **augmentation(dataset))


def _goyal2017(model: str, dataset: str) -> Recipe:
    """Goyal et al. 2017 (ImageNet in one hour): lr 0.1 for each 256 of a batch, / 10 at 30, 60 and 80 of 90 epochs

    ResNet-50 on ImageNet, section 5.1: Nesterov momentum, batch norm not decayed. Warm-up over 5 epochs, from 0 (the
    paper: from 0.1, for batches above 256), batches of 256 (the paper: up to 8192; recipe.batch_size=8192
    recipe.lr=3.2). Its initialisation is init=goyal2017.
    """
    return Recipe(
        epochs=90,
        batch_size=256,
        lr=0.1,
        nesterov=True,
        milestones=(30, 60, 80),
        warmup_epochs=5,
        weight_decay=1e-4,
        decay_norm=False,
        **augmentation(dataset),
    )


def _evci2020(model: str, dataset: str) -> Recipe:
    """Evci et al. 2020 (RigL): ResNet-50 on ImageNet, lr 1.6 / 10 at 30, 70 and 90 epochs, label smoothing 0.1

    Section 4.1, and the code google-research/rigl: batches of 4096, 32,000 steps (102 epochs), 5 epochs of warm-up
    (the code as published has none), Nesterov momentum, batch norm not decayed. Its initialisation is init=renda2020.
    """
    return Recipe(
        epochs=102,
        batch_size=4096,
        lr=1.6,
        nesterov=True,
        milestones=(30, 70, 90),
        warmup_epochs=5,
        weight_decay=1e-4,
        decay_norm=False,
        label_smoothing=0.1,
        **augmentation(dataset),
    )


def _tanaka2020(model: str, dataset: str) -> Recipe:
    """Tanaka et al. 2020 (SynFlow): batch 128, Nesterov, lr 0.1 / 10 at 60 and 120 of 160 epochs, weight decay 1e-4

    Code: the args.json of ganguli-lab/Synaptic-Flow's VGG runs on CIFAR; its other networks' settings were not seen.
    """
    return Recipe(
        epochs=160,
        milestones=(60, 120),
        nesterov=True,
        weight_decay=1e-4,
        normalise=on_cifar10(dataset, "pixel_std"),
        **augmentation(dataset),
    )


def _atanov2021(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021, a reproduction of Su et al.: its GraSP part, batch 128, weight decay 5e-4 VGG, 1e-4 ResNet

    Code: CS-433/cs-433-project-2-answer42. CIFAR-10's deviations are the images' own here and in the random tickets,
    those of all pixels in the parts of atanov2021_snip.
    """
    decay = 5e-4 if model.startswith("vgg") else 1e-4
    return replace(_atanov2021_random(model, dataset), weight_decay=decay)


def _atanov2021_snip(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021: its SNIP, rewinding and hybrid parts, batch 64, weight decay 1e-4"""
    return replace(
        _atanov2021_random(model, dataset),
        batch_size=64,
        weight_decay=1e-4,
        normalise=on_cifar10(dataset, "pixel_std"),
    )


def _atanov2021_random(model: str, dataset: str) -> Recipe:
    """Atanov et al. 2021: its random tickets, batch 128, weight decay 5e-4 for both networks"""
    return Recipe(
        epochs=160,
        batch_size=128,
        milestones=(80, 120),
        weight_decay=5e-4,
        normalise=on_cifar10(dataset, "per_image_std"),
        **augmentation(dataset),
    )


RECIPES: dict[str, Callable[[str, str], Recipe]] = {
    "quick": _quick,
    "short": _short,
    "su2020": _su2020,
    "wang2020": _wang2020,
    "frankle_carbin2019": _frankle_carbin2019,
    "frankle2021": _frankle2021,
    "renda2020": _renda2020,
    "goyal2017": _goyal2017,
    "evci2020": _evci2020,
    "lee2019": mnist_papers.lee2019,
    "lee2019_code": mnist_papers.lee2019_code,
    "gahaalt2019": mnist_papers.gahaalt2019,
    "dettmers2019": mnist_papers.dettmers2019,
    "ntt2020": mnist_papers.ntt2020,
    "tanaka2020": _tanaka2020,
    "atanov2021": _atanov2021,
    "atanov2021_snip": _atanov2021_snip,
    "atanov2021_random": _atanov2021_random,
}
