"""Reads the masks of a file for a network, the ratio that a file has, and initial weights from a file."""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks import Mask, kept, size
from sanity.masks.allocation import budget
from sanity.masks.files.contents import FileMasks, masks_of, weights_of
from sanity.masks.files.formats import TensorFile, read
from sanity.masks.files.matching import Match, match
from sanity.masks.ticket import tied_names

log = logging.getLogger("sanity")
_FILE = "file:"
_SHARE = 0.01
"""Of the kept weights by which a file may miss the budget: smart ratios and other layer counts round layer by layer."""


@dataclass(frozen=True)
class ImportedMask:
    """The mask of a file under the names of a network, in the order of its modules.

    match: which name of the file stands for which of the network. notes: what was left out or added.
    """

    mask: Mask
    match: Match
    notes: tuple[str, ...]


def read_mask(path: Path, targets: Mapping[str, Tensor], source: str = "masks") -> ImportedMask:
    """Reads a file's mask for the prunable weights `targets` of a network.

    source: `masks`, or `weights` to take their zeros for it.
    Raises `UserError` where the file has none, or does not fit the network.
    """
    file = read(path)
    return fitted(file, masks_of(file, source), targets)


def fitted(file: TensorFile, found: FileMasks, targets: Mapping[str, Tensor]) -> ImportedMask:
    """Puts the masks of a file under the names of a network's prunable weights `targets`; raises as `read_mask`."""
    full = {name for name, layer in found.layers.items() if layer.all()}
    layers, matched, notes = _matched(found.layers, targets, file, full.__contains__)
    mask = {name: layers[theirs] for name, theirs in matched.names.items()}
    return ImportedMask(mask, matched, (*found.notes, *notes))


def _matched(
    theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], file: TensorFile, ignorable: Callable[[str], bool]
) -> tuple[Mapping[str, Tensor], Match, list[str]]:
    """Matches the tensors of a file with those of a network, transposed where they fit in no other way.

    Keras stores the weights of a linear layer as inputs x outputs. Networks with convolutions are not transposed:
    behind them also the order of a linear layer's inputs is another one.
    """
    where = str(file.path)
    try:
        return theirs, match(theirs, own, where, file.ordered, ignorable), []
    except UserError:
        if any(tensor.dim() > 2 for tensor in theirs.values()):
            raise
        transposed = {name: tensor.mT.contiguous() if tensor.dim() == 2 else tensor for name, tensor in theirs.items()}
        with suppress(UserError):
            matched = match(transposed, own, where, file.ordered, ignorable)
            return transposed, matched, ["the layers are stored as inputs x outputs, and were transposed"]
        raise


def tolerated(mask: Mapping[str, Tensor]) -> int:
    """Returns by how many weights somebody's mask may miss the budget: one a layer, or 1 % of those that it keeps."""
    return max(len(mask), int(_SHARE * kept(mask)))


def off_budget(mask: Mapping[str, Tensor], ratio: float, where: str) -> int:
    """Counts by how many weights a mask misses round((1 - ratio) * N); negative where it keeps fewer.

    Raises `UserError`, with the ratio that fits, where it misses by more than rounding explains.
    """
    total = size(mask)
    off = kept(mask) - budget(total, ratio)
    if abs(off) > tolerated(mask):
        says = f"ratio={ratio:g} is {budget(total, ratio)}"
        raise UserError(
            f"{where}: keeps {kept(mask)} of {total} weights, but {says}; say ratio={plain_ratio([mask]):g}"
        )
    return off


def plain_ratio(masks: Iterable[Mapping[str, Tensor]]) -> float:
    """Returns the ratio of the fewest digits that all masks have, but for a weight a layer.

    Raises `UserError` where they have none in common, or one keeps everything or nothing.
    """
    masks = list(masks)
    for mask in masks:
        if kept(mask) in (0, size(mask)):
            kind = "nothing" if kept(mask) else "everything"
            raise UserError(f"ratio: a mask removes {kind} of {size(mask)} weights, so that there is no ticket")
    for digits in range(1, 10):
        ratio = round(1 - kept(masks[0]) / size(masks[0]), digits)
        if 0 < ratio < 1 and all(abs(kept(mask) - round((1 - ratio) * size(mask))) <= len(mask) for mask in masks):
            return ratio
    counts = ", ".join(f"{kept(mask)} of {size(mask)}" for mask in masks[:4])
    raise UserError(f"ratio: the masks keep {counts} weights, which is no one ratio; run them one by one")


def split_init(init: str) -> tuple[str, str]:
    """Splits `file:PATH` or `NAME+file:PATH` into the initialisation to draw from and the path, empty without one."""
    drawn, marker, path = init.partition(_FILE)
    return (drawn.removesuffix("+"), path) if marker else (init, "")


def load_weights(net: nn.Module, path: Path) -> Match:
    """Puts the weights of a file into a network, in place.

    Returns how they were matched. Raises `UserError` where a parameter has no counterpart, or a value is not finite.
    Running statistics of batch norm that the file lacks stay as they are.
    """
    file = read(path)
    weights, state, tied = weights_of(file), net.state_dict(), tied_names(net)
    theirs: Mapping[str, Tensor] = {name: value for name, value in weights.items() if value.is_floating_point()}
    own = {name: value for name, value in state.items() if value.is_floating_point() and name not in tied}
    if not any(name.endswith("running_mean") for name in theirs):
        parameters = dict(net.named_parameters(remove_duplicate=False))
        own = {name: value for name, value in own.items() if name in parameters}
    theirs, matched, notes = _matched(theirs, own, file, tied.__contains__)
    say_once(str(path), notes)
    for other in matched.names.values():
        if not theirs[other].isfinite().all():
            raise UserError(f"{path}: '{other}' holds values that are not finite")
    with torch.no_grad():
        net.load_state_dict({name: theirs[other].to(own[name]) for name, other in matched.names.items()}, strict=False)
        for name, value in state.items():  # counters of batch norm
            if not value.is_floating_point() and name in weights and weights[name].shape == value.shape:
                value.copy_(weights[name])
    return matched


_shown: set[str] = set()


def show_match(where: str, matched: Match, notes: Iterable[str] = ()) -> None:
    """Says in the log, once for each file, how layers were matched where names do not tell, and what was changed."""
    lines = list(notes)
    if matched.how != "by name":
        pairs = ", ".join(f"{own} <- {theirs}" for own, theirs in matched.names.items() if own != theirs)
        lines.insert(0, f"layers matched {matched.how}: {pairs}")
    say_once(where, lines)


def say_once(where: str, lines: Iterable[str]) -> None:
    """Warns in the log, with `where` before each line; a line that was said before is left out."""
    for line in lines:
        if (text := f"{where}: {line}") not in _shown:
            _shown.add(text)
            log.warning("%s", text)
