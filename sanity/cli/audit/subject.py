"""Finds out what is audited: the masks of a file, the network that they fit, its initial and final weights."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sanity import models
from sanity.cli.audit.config import AuditConfig
from sanity.config.options import fill
from sanity.data.dataset import Dataset, load_by_name
from sanity.errors import UserError
from sanity.masks import Mask, prunable
from sanity.masks.files.contents import FileMasks, masks_of, weights_of
from sanity.masks.files.formats import TensorFile, read
from sanity.masks.files.imports import fitted, load_weights
from sanity.masks.files.matching import match
from sanity.masks.files.paths import naming
from sanity.models.base import Model
from sanity.models.building import build_by_name
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.evaluation import accuracy

Shape = tuple[int, int, int]
_INPUTS: tuple[Shape, ...] = ((1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 64, 64), (3, 224, 224))
"""Of MNIST, CIFAR, scikit-learn's digits, Tiny ImageNet, ImageNet."""


@dataclass(frozen=True)
class Subject:
    """A ticket and what is known of it.

    mask: in the order of the network's modules, under its names; of the file where there is no network.
    network: with the initial weights where those are given; None where none fits. about: how all this was found.
    initial, final: weights by the mask's names; None where they are not given. train: for methods that need data.
    final_accuracy: of the network with all final weights on the test set, percent; None without those or a data set.
    """

    file: TensorFile
    mask: Mask
    network: nn.Module | None
    input_shape: Shape | None
    about: tuple[str, ...]
    initial: Mapping[str, Tensor] | None
    final: Mapping[str, Tensor] | None
    train: Dataset | None
    final_accuracy: float | None = None


def load(path: Path, config: AuditConfig) -> Subject:
    """Reads a ticket, and what the configuration names beside it.

    Raises `UserError` where the file has no masks, or fits neither the network that is named nor its own weights.
    """
    file = read(path)
    found = masks_of(file, config.from_, "from=weights")
    train, test = _data(config)
    shape = _shape(config) or (train.input_shape if train else None)
    network, shape, about = _network(file, found, config, shape)
    mask, notes, lines = found.layers, found.notes, [f"file {path}, SHA-256 {file.digest}", about]
    if network is not None:
        imported = fitted(file, found, prunable(network))
        mask, notes = imported.mask, imported.notes
        lines.append(f"layers matched {imported.match.how}")
    initial = None
    if config.init and network is not None:
        with naming(_key(config.init), _path(config.init)):
            load_weights(network, _path(config.init))
        initial = {name: prunable(network)[name].detach() for name in mask}
    elif config.init:
        initial = _weights(_key(config.init), _path(config.init), mask)
    final = _weights("final", Path(config.final), mask) if config.final else _beside(file, mask)
    correct = None
    if config.final and network is not None and test is not None:
        correct = _final_accuracy(network, Path(config.final), test)
    return Subject(file, mask, network, shape, (*lines, *notes), initial, final, train, correct)


def _final_accuracy(network: nn.Module, path: Path, test: Dataset) -> float | None:
    """The accuracy of the trained network; None where the file lacks some of its weights, such as biases."""
    trained = copy.deepcopy(network)
    try:
        load_weights(trained, path)
    except UserError:
        return None
    return accuracy(trained, test, Recipe(), torch.device("cpu"), "fp32")


def _shape(config: AuditConfig) -> Shape | None:
    if not config.input:
        return None
    parts = config.input.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):
        raise UserError(f"input={config.input}: should be channels x height x width, as in 3x32x32")
    channels, height, width = map(int, parts)
    return channels, height, width


def _data(config: AuditConfig) -> tuple[Dataset | None, Dataset | None]:
    """The training set, and the test set normalised like it; None where no data set is named."""
    if not config.dataset:
        return None, None
    train, test = load_by_name(config.dataset, config.options.get("dataset", {}), config.data_dir)
    return train, replace(test, mean=train.mean, std=train.std)


def _network(
    file: TensorFile, found: FileMasks, config: AuditConfig, shape: Shape | None
) -> tuple[nn.Module | None, Shape | None, str]:
    """The network that is named, else the first of ours that fits; with the shape of its inputs."""
    options = config.options.get("model", {})
    problem: UserError | None = None
    for name in [config.model] if config.model else models.REGISTRY.names():
        for inputs, classes in product([shape] if shape else _INPUTS, _classes(found)):
            try:
                network = _on_meta(name, inputs, classes, options)
                fitted(file, found, prunable(network))
            except UserError as error:
                problem = problem or error
                continue
            built = build_by_name(name, inputs, classes, options, generator=generator(0, "init"))
            how = "" if config.model else " (recognised by the shapes of its layers)"
            return built, inputs, f"network {name} on inputs of {'x'.join(map(str, inputs))}{how}"
    if config.model and problem is not None:
        raise problem
    return None, None, "no network of ours has layers of these shapes; model= names one, or a class of your own"


def _classes(found: FileMasks) -> list[int]:
    """The outputs of the smallest matrix, which is the last layer; also of matrices that are stored transposed."""
    shapes = [layer.shape for layer in found.layers.values() if layer.dim() == 2]
    sizes = [min((shape[side] for shape in shapes), default=10) for side in (0, 1)]
    return list(dict.fromkeys(max(size, 2) for size in sizes))


def _on_meta(name: str, shape: Shape, classes: int, options: Mapping[str, Any]) -> nn.Module:
    """The network without values, which takes no time."""
    model: Model = fill(models.REGISTRY.load_subclass(name, Model), options, f"model {name}")
    if min(shape[1:]) < model.smallest_side:
        raise UserError(f"model {name}: inputs of {shape[1]}x{shape[2]} are too small")
    with torch.device("meta"):
        return model.build(shape, classes)


def _key(init: str) -> str:
    """Returns what stands before the path of `init=`, as it was written."""
    return "init=file:" if init.startswith("file:") else "init"


def _path(init: str) -> Path:
    return Path(init.removeprefix("file:"))


def _weights(key: str, path: Path, mask: Mask) -> dict[str, Tensor]:
    """The weights of the file that a key names, by the names of the mask's layers."""
    with naming(key, path):
        file = read(path)
        weights = {name: tensor for name, tensor in weights_of(file).items() if tensor.dim() > 1}
        names = match(weights, mask, str(path), file.ordered, lambda _: True).names
    return {name: weights[theirs] for name, theirs in names.items()}


def _beside(file: TensorFile, mask: Mask) -> dict[str, Tensor] | None:
    """The weights that the file has beside its masks, where it has them for every layer."""
    weights = {name: tensor for name, tensor in weights_of(file).items() if tensor.dim() > 1}
    try:
        names = match(weights, mask, str(file.path), file.ordered, lambda _: True).names
    except UserError:
        return None
    return {name: weights[theirs] for name, theirs in names.items() if weights[theirs].is_floating_point()} or None
