"""Matches the layers of a file with those of a network: by name, else by shape and order."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from sanity.errors import UserError
from sanity.masks.files.contents import common_prefix, is_list

_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "state_dict.")


@dataclass(frozen=True)
class Match:
    """Which name of the file stands for which of the network.

    names: network's name -> file's name.
    how: `by name`, `by name without 'model.'`, `by order` or `by shape and order`.
    """

    names: Mapping[str, str]
    how: str

    def lines(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """The match as text, a layer a line."""
        return [f"{own} <- {theirs} {_shape(tensors[theirs])}" for own, theirs in self.names.items()]


def match(
    theirs: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    where: str,
    ordered: bool = True,
    ignorable: Callable[[str], bool] = lambda _: False,
) -> Match:
    """Matches all tensors of a network with those of a file.

    Args:
        theirs: name -> tensor of the file, in its order.
        own: name -> tensor of the network, in the order of its modules.
        where: the file, for messages.
        ordered: whether the file's order is that of the modules, see `TensorFile`.
        ignorable: whether a tensor of the file may be left without a counterpart.

    Raises:
        UserError: naming the first layer that has no counterpart of its shape.
    """
    names = list(theirs)
    if is_list(names):
        return _by_order(theirs, own, where)
    for strip, how in _prefixes(names, list(own)):
        named = {strip(name): name for name in names}
        if any(name in named for name in own) and all(name in named for name in own):
            pairs = {name: named[name] for name in own}
            _check_shapes(pairs, theirs, own, where)
            _check_no_more(set(pairs.values()), theirs, where, ignorable)
            return Match(pairs, how)
    return _by_shape(theirs, own, where, ordered, ignorable)


def _prefixes(names: list[str], own: list[str]) -> list[tuple[Callable[[str], str], str]]:
    """The ways to read the file's names, the exact one first."""
    shared = common_prefix(names)
    prefixes = dict.fromkeys(["", shared, *(wrap for wrap in _WRAPPERS if all(n.startswith(wrap) for n in names))])
    added = dict.fromkeys(prefix for name in own for prefix in _WRAPPERS if name.startswith(prefix))
    ways: list[tuple[Callable[[str], str], str]] = []
    for prefix in prefixes:
        how = f"by name without '{prefix}'" if prefix else "by name"
        ways.append((lambda name, prefix=prefix: name.removeprefix(prefix), how))  # type: ignore[misc]
    for prefix in added:
        ways.append((lambda name, prefix=prefix: prefix + name, f"by name with '{prefix}'"))  # type: ignore[misc]
    return ways


def _by_order(theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str) -> Match:
    if len(theirs) != len(own):
        raise UserError(
            f"{where}: is a list of {len(theirs)} tensors, but the network has {len(own)} layers: {_listed(own)}"
        )
    pairs = dict(zip(own, theirs, strict=True))
    _check_shapes(pairs, theirs, own, where)
    return Match(pairs, "by order")


def _by_shape(
    theirs: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    where: str,
    ordered: bool,
    ignorable: Callable[[str], bool],
) -> Match:
    """Layers of a shape that is there once are found by it; those of one shape by their order.

    A bias goes with the weight of its layer.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, tensor in theirs.items():
        groups.setdefault(_kind(name, tensor), []).append(name)
    pairs: dict[str, str] = {}
    for name in sorted(own, key=lambda name: own[name].dim() < 2):
        weight, _, part = name.rpartition(".")
        layer = pairs.get(f"{weight}.weight", "").rpartition(".")[0]
        kind = _kind(name, own[name])
        group = groups.get(kind, [])
        if own[name].dim() < 2 and f"{layer}.{part}" in group:
            pairs[name] = f"{layer}.{part}"
        elif not group:
            raise _unmatched(name, own, theirs, where)
        else:
            if not ordered:
                _check_numbered(group, name, where)
            pairs[name] = group[0]
        group.remove(pairs[name])
    _check_no_more(set(pairs.values()), theirs, where, ignorable)
    return Match({name: pairs[name] for name in own}, "by shape and order")


def _check_numbered(group: list[str], name: str, where: str) -> None:
    """Raises `UserError` where names in a file without an order do not tell it by their numbers."""
    if len({re.sub(r"\d+", "0", theirs) for theirs in group}) > 1:
        listed = " and ".join(f"'{theirs}'" for theirs in group[:2])
        raise UserError(
            f"{where}: {listed} have the same shape, and safetensors keeps no order, so that nothing tells which of "
            f"them is '{name}'; rename them as the network does, or save with torch.save or numpy.savez in module order"
        )


def _kind(name: str, tensor: Tensor) -> tuple[str, ...]:
    """Shape, and for vectors what they are: a layer's bias never stands for its mean."""
    last = re.split(r"[./]", name.removesuffix(":0"))[-1]  # TensorFlow writes dense/bias:0
    return (str(tuple(tensor.shape)), *([last] if tensor.dim() < 2 else []))


def _unmatched(name: str, own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], where: str) -> UserError:
    return UserError(
        f"{where}: has no layer for '{name}' {_shape(own[name])} (the network has {len(own)} layers); "
        f"it holds {len(theirs)}: {_listed(theirs)}"
    )


def _check_shapes(
    pairs: Mapping[str, str], theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str
) -> None:
    for name, other in pairs.items():
        if theirs[other].shape != own[name].shape:
            needed = f"that layer of the network ('{name}') is {_shape(own[name])}"
            raise UserError(f"{where}: '{other}' is {_shape(theirs[other])}, but {needed}")


def _check_no_more(
    matched: set[str], theirs: Mapping[str, Tensor], where: str, ignorable: Callable[[str], bool]
) -> None:
    for name, tensor in theirs.items():
        if name not in matched and not ignorable(name):
            raise UserError(f"{where}: '{name}' {_shape(tensor)} has no counterpart in the network")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _listed(tensors: Mapping[str, Tensor], most: int = 4) -> str:
    shown = [f"'{name}' {_shape(tensor)}" for name, tensor in list(tensors.items())[:most]]
    return ", ".join(shown) + (", ..." if len(tensors) > most else "")
