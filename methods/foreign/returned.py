"""Reads the mask from whatever somebody's function returns: masks by name, module or order, or a pruned network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks import kept, size
from sanity.masks.files.contents import check_binary, masks_of, names_masks
from sanity.masks.files.formats import TensorFile
from sanity.masks.files.imports import ImportedMask, fitted


@dataclass(frozen=True)
class Layers:
    """The parts of a network as they were before a function worked on it.

    weights: its prunable weights by name. of_module: name of a module -> name of its prunable weight, where it has one.
    by_identity: name of the parameter, or of the module's weight, by the object's `id`. parts: the objects themselves,
        which are kept so that no other object gets their `id`.
    """

    weights: Mapping[str, nn.Parameter]
    of_module: Mapping[str, str]
    by_identity: Mapping[int, str]
    parts: tuple[object, ...]

    @classmethod
    def of(cls, net: nn.Module, weights: Mapping[str, nn.Parameter]) -> "Layers":
        """Reads the parts of `net`, whose prunable weights are `weights`."""
        modules = [name.rpartition(".")[0] for name in weights]
        of_module = {module: name for module, name in zip(modules, weights, strict=True) if modules.count(module) == 1}
        layers = {of_module.get(name, f"{name}.weight"): module for name, module in net.named_modules()}
        parameters = dict(net.named_parameters())
        identities = {id(part): name for named in (layers, parameters) for name, part in named.items()}
        return cls(weights, of_module, identities, (*layers.values(), *parameters.values()))


def read(result: Any, net: nn.Module, layers: Layers, owner: str) -> ImportedMask:
    """Reads the mask that a function returned.

    Args:
        result: a mapping from names, modules or parameters to masks; masks in the order of the modules; (mask,
            parameter) pairs, or an object with such `masked_parameters`; one flat mask of all weights; a network whose
            layers have masks or whose weights have zeros; None where the function has pruned `net` itself.
        net: the copy of the network that the function was given.
        layers: the parts of `net` before.
        owner: the function, for messages.

    Raises:
        UserError: in one line, where the masks are no masks of this network, or keep everything or nothing.
    """
    if result is None and not _is_pruned(net):
        raise UserError(f"{owner}: returns nothing, and has pruned nothing of the network that it was given")
    network = net if result is None else result
    if isinstance(network, nn.Module):
        tensors = _state(network)
        source: Literal["masks", "weights"] = "masks" if names_masks(tensors) else "weights"
    else:
        tensors, source = dict(_tensors(result, layers, owner)), "masks"
        if not tensors:
            raise UserError(f"{owner}: returns no masks")
        for name, tensor in {} if names_masks(tensors) else tensors.items():
            check_binary(owner, name, tensor)
    file = TensorFile(Path(owner), tensors, "", ordered=True)
    imported = fitted(file, masks_of(file, source), layers.weights)
    if kept(imported.mask) in (0, size(imported.mask)):
        does = "removes nothing" if kept(imported.mask) else "keeps nothing"
        raise UserError(f"{owner}: {does} of {size(imported.mask)} weights, so that there is no ticket")
    return imported


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu() for name, value in network.state_dict().items() if isinstance(value, Tensor)}


def _is_pruned(network: nn.Module) -> bool:
    state = _state(network)
    return names_masks(state) or any(bool((value == 0).any()) for value in state.values() if value.dim() > 1)


def _tensors(result: Any, layers: Layers, owner: str) -> Iterator[tuple[str, Tensor]]:
    """Yields the masks by the name of their weight, or by number where only their order tells."""
    if hasattr(result, "masked_parameters"):
        pairs = result.masked_parameters
        result = list(pairs() if callable(pairs) else pairs)
    if isinstance(result, Mapping):
        yield from _of_mapping(result, layers, owner)
        return
    if isinstance(result, Tensor | np.ndarray):
        yield from _of_one(_tensor(result, owner), layers, owner)
        return
    if not isinstance(result, Iterable) or isinstance(result, str):
        raise UserError(f"{owner}: returns {_kind(result)}; masks by name, by module or in order, or a network")
    entries = list(result)
    if entries and all(_is_pair(entry) for entry in entries):
        yield from _of_pairs(entries, layers, owner)
        return
    for number, entry in enumerate(entries):
        yield str(number), _tensor(entry, owner)


def _of_mapping(masks: Mapping[Any, Any], layers: Layers, owner: str) -> Iterator[tuple[str, Tensor]]:
    """Modules and parameters of the network are known by identity, those of another copy by their order."""
    by_identity, of_module = layers.by_identity, layers.of_module
    are_objects = any(isinstance(key, nn.Module | Tensor) for key in masks)
    all_are_ours = all(id(key) in by_identity for key in masks)
    all_name_modules = all(key in of_module for key in masks if isinstance(key, str))
    for number, (key, value) in enumerate(masks.items()):
        if are_objects:
            name = by_identity[id(key)] if all_are_ours else str(number)
        else:
            name = of_module[key] if isinstance(key, str) and all_name_modules else str(key)
        if isinstance(value, Mapping):
            layer = name.rpartition(".")[0] if name in layers.weights else name
            for inner, mask in value.items():
                yield f"{layer}.{inner}", _tensor(mask, owner)
        elif value is not None:
            yield name, _tensor(value, owner)


def _of_one(mask: Tensor, layers: Layers, owner: str) -> Iterator[tuple[str, Tensor]]:
    """One vector with an entry for each weight, in the order of the modules."""
    weights = layers.weights
    total = sum(weight.numel() for weight in weights.values())
    if mask.numel() != total:
        raise UserError(f"{owner}: returns one tensor of {mask.numel()} entries, but the network has {total} weights")
    parts = mask.flatten().split([weight.numel() for weight in weights.values()])
    for (name, weight), part in zip(weights.items(), parts, strict=True):
        yield name, part.view(weight.shape)


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, tuple | list) and len(entry) == 2 and all(isinstance(part, Tensor) for part in entry)


def _of_pairs(pairs: list[Any], layers: Layers, owner: str) -> Iterator[tuple[str, Tensor]]:
    """(mask, parameter) pairs, also the other way round; of parameters of another copy only the order counts."""
    by_identity = layers.by_identity
    for first, second in pairs:
        if first.shape != second.shape:
            shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
            raise UserError(f"{owner}: returns pairs of tensors, but not of a mask and its weight: {shapes}")
    turned = all(id(first) in by_identity for first, _ in pairs)
    ordered = [(second, first) if turned else (first, second) for first, second in pairs]
    all_are_ours = all(id(parameter) in by_identity for _, parameter in ordered)
    for number, (mask, parameter) in enumerate(ordered):
        yield by_identity[id(parameter)] if all_are_ours else str(number), _tensor(mask, owner)


def _tensor(value: Any, owner: str) -> Tensor:
    if isinstance(value, np.ndarray) and value.dtype != object:
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, Tensor):
        raise UserError(f"{owner}: returns {_kind(value)} in the place of a mask, which is a tensor")
    return (value.to_dense() if value.is_sparse else value).detach().cpu()


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
