"""Finds out what is audited: the masks of a file, the network that they fit, its initial and final weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sanity import models
from sanity.config.options import fill
from sanity.data.dataset import Dataset
from sanity.data.dataset import load as load_dataset
from sanity.errors import UserError
from sanity.masks import Mask, prunable
from sanity.masks.files.contents import FileMasks, masks_of, weights_of
from sanity.masks.files.formats import TensorFile, read
from sanity.masks.files.imports import fitted, load_weights
from sanity.masks.files.matching import match
from sanity.models.base import Model
from sanity.seeds import generator

Shape = tuple[int, int, int]
_INPUTS: tuple[Shape, ...] = ((1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 64, 64), (3, 224, 224))
"""Of MNIST, CIFAR, scikit-learn's digits, Tiny ImageNet, ImageNet."""


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """What is audited.

    model: the network; empty: the first of ours whose layers have the file's shapes
    input: channels x height x width of its inputs, as in 3x32x32; empty: the data set's, or those that fit
    from: weights takes the zeros of pruned weights for the mask
    init: file of the initial weights, which likeness to known methods needs
    final: file of the trained weights; empty: those beside the masks
    ratio: fraction of the prunable weights that was to be removed; empty: the nearest plain one
    dataset: data set that SNIP and GraSP score on; empty: they are left out
    data_dir: where data sets are, or are downloaded to
    html: page to write; empty: audit-NAME.html in the current folder
    """

    model: str = ""
    input: str = ""
    from_: Literal["masks", "weights"] = "masks"
    init: str = ""
    final: str = ""
    ratio: float | None = None
    dataset: str = ""
    data_dir: str = "data"
    html: str = ""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A ticket and what is known of it.

    mask: in the order of the network's modules, under its names; of the file where there is no network.
    network: with the initial weights where those are given; None where none fits. about: how all this was found.
    initial, final: weights by the mask's names; None where they are not given. train: for methods that need data.
    """

    file: TensorFile
    mask: Mask
    network: nn.Module | None
    input_shape: Shape | None
    about: tuple[str, ...]
    initial: Mapping[str, Tensor] | None
    final: Mapping[str, Tensor] | None
    train: Dataset | None


def load(path: Path, config: AuditConfig) -> Subject:
    """Reads a ticket, and what the configuration names beside it.

    Raises `UserError` where the file has no masks, or fits neither the network that is named nor its own weights.
    """
    file = read(path)
    found = masks_of(file, config.from_, "from=weights")
    train = _data(config)
    shape = _shape(config) or (train.input_shape if train else None)
    network, shape, about = _network(file, found, config, shape)
    mask, lines = found.layers, [f"file {path}, SHA-256 {file.digest}", about]
    if network is not None:
        imported = fitted(file, found, prunable(network))
        mask = imported.mask
        lines.append(f"layers matched {imported.match.how}")
    initial = None
    if config.init and network is not None:
        load_weights(network, Path(config.init))
        initial = {name: prunable(network)[name].detach() for name in mask}
    elif config.init:
        initial = _weights(Path(config.init), mask)
    final = _weights(Path(config.final), mask) if config.final else _beside(file, mask)
    return Subject(file, mask, network, shape, (*lines, *found.notes), initial, final, train)


def _shape(config: AuditConfig) -> Shape | None:
    if not config.input:
        return None
    parts = config.input.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) for part in parts):
        raise UserError(f"input={config.input}: should be channels x height x width, as in 3x32x32")
    channels, height, width = map(int, parts)
    return channels, height, width


def _data(config: AuditConfig) -> Dataset | None:
    if not config.dataset:
        return None
    train, _ = load_dataset(config.dataset, config.data_dir, **config.options.get("dataset", {}))
    return train


def _network(
    file: TensorFile, found: FileMasks, config: AuditConfig, shape: Shape | None
) -> tuple[nn.Module | None, Shape | None, str]:
    """The network that is named, else the first of ours that fits; with the shape of its inputs."""
    options = config.options.get("model", {})
    problem: UserError | None = None
    for name in [config.model] if config.model else models.REGISTRY.names():
        for inputs in [shape] if shape else _INPUTS:
            try:
                network = _on_meta(name, inputs, _classes(found), options)
                fitted(file, found, prunable(network))
            except UserError as error:
                problem = problem or error
                continue
            built = models.build(name, inputs, _classes(found), generator=generator(0, "init"), **options)
            how = "" if config.model else " (recognised by the shapes of its layers)"
            return built, inputs, f"network {name} on inputs of {'x'.join(map(str, inputs))}{how}"
    if config.model and problem is not None:
        raise problem
    return None, None, "no network of ours has layers of these shapes; model= names one, or a class of your own"


def _classes(found: FileMasks) -> int:
    """The outputs of the last layer; where the file has another order, of the smallest matrix."""
    sizes = [layer.shape[0] for layer in found.layers.values() if layer.dim() == 2]
    return max(min(sizes, default=10), 2)


def _on_meta(name: str, shape: Shape, classes: int, options: Mapping[str, Any]) -> nn.Module:
    """The network without values, which takes no time."""
    model: Model = fill(models.REGISTRY.load_subclass(name, Model), options, f"model {name}")
    if min(shape[1:]) < model.smallest_side:
        raise UserError(f"model {name}: inputs of {shape[1]}x{shape[2]} are too small")
    with torch.device("meta"):
        return model.build(shape, classes)


def _weights(path: Path, mask: Mask) -> dict[str, Tensor]:
    """The weights of a file by the names of the mask's layers."""
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
