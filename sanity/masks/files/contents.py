"""Finds the masks among the tensors of a file, in the forms in which masks are published."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks import Mask
from sanity.masks.files.formats import TensorFile

_OPENLTH = re.compile(r"^(?:.*\.)?mask_(.+)$")
_TORCH_PRUNE = re.compile(r"^(.+)_mask$")
_BUFFER = re.compile(r"^(.+)\.mask$")
_CONTAINER = re.compile(r"^(?:.+\.)?masks?\.(.+)$")
_NAMES: tuple[Callable[[str], str | None], ...] = (
    lambda name: match[1].replace("___", ".") if (match := _OPENLTH.match(name)) else None,
    lambda name: match[1] if (match := _TORCH_PRUNE.match(name)) else None,
    lambda name: f"{match[1]}.weight" if (match := _BUFFER.match(name)) else None,
    lambda name: match[1] if (match := _CONTAINER.match(name)) else None,
)
"""What a mask's name says of its weight's: open_lth's, torch.nn.utils.prune's, a buffer `mask`, an entry of `masks`."""


@dataclass(frozen=True)
class FileMasks:
    """The masks of a file by the names that it uses for the weights.

    layers: name -> boolean tensor of two or more dimensions, in the order of the file.
    weights: the other tensors, under the names of parameters (weight_orig becomes weight).
    notes: what was left out or added, a sentence each.
    """

    layers: Mask
    weights: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


def masks_of(file: TensorFile, source: str = "masks", option: str = "imported.from=weights") -> FileMasks:
    """Finds the masks of a file.

    Args:
        file: as read.
        source: `masks`, or `weights` to take the zeros of pruned weights for the mask.
        option: how the user asks for `weights`, for the message.

    Raises:
        UserError: where the file has no masks, or a mask holds something else than zeros and ones.
    """
    masks, weights = _told_apart(file.tensors)
    if source == "weights":
        return _from_zeros(file, weights or file.tensors)
    if not masks:
        if not all(_is_binary(tensor) for tensor in file.tensors.values()):
            raise _no_masks(file, option)
        masks, weights = dict(file.tensors), {}
    for name, mask in masks.items():
        check_binary(str(file.path), name, mask)
    notes = [
        f"the mask of '{name}' removes {int((mask == 0).sum())} of {mask.numel()} values, which are kept here: "
        "biases and normalisation layers are not pruned"
        for name, mask in masks.items()
        if mask.dim() < 2 and not (mask != 0).all()
    ]
    layers = {name: mask != 0 for name, mask in masks.items() if mask.dim() > 1}
    if not layers:
        raise UserError(f"{file.path}: its masks have fewer than two dimensions; masks have the shapes of the weights")
    for name, tensor in weights.items():
        if tensor.dim() > 1 and tensor.is_floating_point() and name not in layers and _has_sibling(name, layers):
            layers[name] = torch.ones_like(tensor, dtype=torch.bool)
            notes.append(f"'{name}' has weights and no mask, and is taken to be dense")
    return FileMasks(_ordered(layers, weights), weights, tuple(notes))


def _told_apart(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The masks by the name of their weight, and the other tensors by the name of their parameter."""
    for named in _NAMES:
        if masks := {weight: tensors[name] for name in tensors if (weight := named(name))}:
            prefix = common_prefix([name for name in tensors if not named(name)])
            rest = {_parameter(name, prefix): tensors[name] for name in tensors if not named(name)}
            if not any(name in rest for name in masks):  # names of masks and weights agree only with the prefix
                rest = {_parameter(name, ""): tensors[name] for name in tensors if not named(name)}
            return masks, rest
    return {}, {_parameter(name, ""): tensor for name, tensor in tensors.items()}


def names_masks(tensors: Mapping[str, Tensor]) -> bool:
    """Whether some of the names say that they are masks of others: `weight_mask`, `mask_fc`, a buffer `mask`."""
    return any(named(name) for named in _NAMES for name in tensors)


def weights_of(file: TensorFile) -> dict[str, Tensor]:
    """Returns the weights and buffers of a file, without its masks, under the names of parameters."""
    return _told_apart(file.tensors)[1]


def _parameter(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).removesuffix("_orig")


def common_prefix(names: list[str]) -> str:
    """Returns the folders that all names have in common, with their last dot: `model.` or `module.encoder.`"""
    split = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "".join(f"{part}." for part in shared)


def _has_sibling(name: str, layers: Mapping[str, Tensor]) -> bool:
    """Whether a weight is named like those that have masks, `...weight`."""
    return name.rpartition(".")[2] in {layer.rpartition(".")[2] for layer in layers}


def _ordered(layers: Mask, weights: Mapping[str, Tensor]) -> Mask:
    """In the order of the file's weights where all have one, which is that of the modules; else in their own."""
    places = {name: place for place, name in enumerate(weights)}
    if not all(name in places for name in layers):
        return layers
    return {name: layers[name] for name in sorted(layers, key=lambda name: places[name])}


def _from_zeros(file: TensorFile, weights: Mapping[str, Tensor]) -> FileMasks:
    layers = {name: tensor != 0 for name, tensor in weights.items() if tensor.dim() > 1 and tensor.is_floating_point()}
    for name, tensor in weights.items():
        if name in layers and not tensor.isfinite().all():
            raise UserError(f"{file.path}: the weights of '{name}' are not finite")
    if not layers:
        raise UserError(f"{file.path}: holds no weights of two or more dimensions, whose zeros would be the mask")
    if all(layer.all() for layer in layers.values()):
        raise UserError(f"{file.path}: none of its weights is zero, so that they tell no mask")
    return FileMasks(layers, weights, ("the zeros of the weights are taken for the mask",))


def _is_binary(tensor: Tensor) -> bool:
    return bool(((tensor == 0) | (tensor == 1)).all()) and tensor.dim() > 0


def check_binary(where: str, name: str, mask: Tensor) -> None:
    """Raises `UserError`, which begins with `where`, unless a mask holds zeros and ones alone."""
    if _is_binary(mask):
        return
    strange = mask[(mask != 0) & (mask != 1)] if mask.dim() else mask.flatten()
    value = strange.flatten()[0].item()
    raise UserError(
        f"{where}: the mask of '{name}' holds {value:g}, but a mask is zeros and ones; apply the rule that its "
        "authors have (such as mask = score > threshold) and save that"
    )


def _no_masks(file: TensorFile, option: str) -> UserError:
    weights = {name: tensor for name, tensor in file.tensors.items() if tensor.dim() > 1}
    zeros = sum(int((tensor == 0).sum()) for tensor in weights.values())
    total = sum(tensor.numel() for tensor in weights.values())
    first = next(name for name, tensor in file.tensors.items() if not _is_binary(tensor))
    if zeros:
        hint = f"if its zeros ({zeros} of {total}) are the pruned weights, say {option}"
    else:
        hint = "if they are scores, save the masks that they give; if they are initial weights, say init=file:PATH"
    holds_nan = not file.tensors[first].isfinite().all()
    values = "values that are not finite" if holds_nan else "values other than zero and one"
    return UserError(f"{file.path}: has no masks: '{first}' holds {values}; {hint}")


def is_list(names: list[str]) -> bool:
    """Whether the names are numbers alone, as those of a list or of numpy's unnamed arrays."""
    prefix = common_prefix(names)
    return all(re.fullmatch(r"(arr_)?\d+", name.removeprefix(prefix)) for name in names)
