"""Finds the weights that go where scores are products, multiplied for those that are left alone, in one pass.

A search of many rounds has few weights left in most of them; whole tensors of scores would cost as much in its last
round as in its first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sanity.masks.ranking import as_ranked, check_finite, sampling_step, window

Array = NDArray[Any]
_CHUNK = 1 << 14
"""Scores that are computed at a time, so that they stay in the processor's cache."""
_GONE = 0.15
"""Share of the weights of a layer that may have gone before they are dropped."""


@dataclass(frozen=True)
class Products:
    """Scores |slope * factor|, both by parameter name and shaped like the weight.

    factors: those of a weight that is left are the same in every round.
    """

    slopes: Mapping[str, Tensor]
    factors: Mapping[str, Tensor]

    def multiplied(self) -> dict[str, Tensor]:
        """Returns the scores of all weights, in the memory of the slopes."""
        slopes, factors = ({name: _plain(t) for name, t in part.items()} for part in (self.slopes, self.factors))
        return {name: slope.mul_(factors[name]).abs_() for name, slope in slopes.items()}


def _plain(values: Tensor) -> Tensor:
    """Returns values without their graph, in a type that can be ranked."""
    return as_ranked(values.detach())


class LayerLeft:
    """The weights of one layer that are left, and their factors.

    Those that have gone are dropped once they are many: to move all others at each round would cost more than to
    compute the scores of some in vain. An index counts those that are not dropped yet.

    count: how many are left.
    """

    def __init__(self, factors: Tensor, places: Tensor | None) -> None:
        """Starts from the weights at these flat positions, None: from all. factors: of the whole layer."""
        self._places = None if places is None else places.numpy()
        flat = _plain(factors).flatten().numpy()
        self._factors = flat if self._places is None else flat[self._places]
        self._stays = np.ones(len(self._factors), dtype=bool)
        self.count = len(self._factors)

    def chunks(self, slopes: Array) -> Iterator[tuple[int, Array]]:
        """Yields the index of the first of a chunk and its scores, whose memory the next chunk takes.

        slopes: of the whole layer, flat.
        """
        end = len(self._factors)
        memory = np.empty(min(_CHUNK, end), dtype=np.result_type(slopes, self._factors))
        for start in range(0, end, _CHUNK):
            part = slice(start, min(start + _CHUNK, end))
            yield start, self._scores(slopes, part, memory[: part.stop - start])

    def sample(self, slopes: Array, step: int) -> Array:
        """Returns the scores of every `step`-th, those that have gone left out."""
        every = slice(None, None, step)
        return self._scores(slopes, every)[self._stays[every]]

    def present(self, which: Array) -> Array:
        """Returns those of these indices that have not gone."""
        return which[self._stays[which]]

    def places(self) -> Array:
        """Returns the flat positions of all that are left."""
        return np.flatnonzero(self._stays) if self._places is None else self._places[self._stays]

    def positions(self, which: Array) -> Array:
        """Returns the flat positions of those with these indices."""
        return which if self._places is None else self._places[which]

    def remove(self, which: Array) -> Array:
        """Removes those with these indices; returns their flat positions."""
        positions = self.positions(which)
        self._stays[which] = False
        self.count -= len(which)
        if len(self._stays) - self.count > _GONE * len(self._stays):
            self._places, self._factors = self.places(), self._factors[self._stays]
            self._stays = np.ones(self.count, dtype=bool)
        return positions

    def _scores(self, slopes: Array, part: slice, out: Array | None = None) -> Array:
        if self._places is None:
            scores = np.multiply(slopes[part], self._factors[part], out=out)
        else:
            taken = np.take(slopes, self._places[part], out=out, mode="clip")  # "raise" would copy what `out` gets
            scores = np.multiply(taken, self._factors[part], out=out)
        return np.abs(scores, out=out)


def weakest(
    slopes: Mapping[str, Tensor], left: Mapping[str, LayerLeft], keep: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Returns by layer which of those `left` go so that `keep` stay, as indices, and which of those that stay tie.

    What stays is what `ranking.keep_best` keeps: the highest scores of all layers, among equals the first. Those tie
    that score the same as one that goes. All tensors are on the CPU. keep: 1 at least; where no more are left, none go.

    Raises `UserError` where a score is not finite.
    """
    flat = {name: _plain(slopes[name]).flatten().numpy() for name in left}
    total = sum(layer.count for layer in left.values())
    removed = max(total - keep, 0)
    with np.errstate(all="ignore"):
        found, values = _up_to(_bound(flat, left, removed / total, total), flat, left)
        if len(values) <= removed:  # the sample misled
            found, values = _up_to(np.inf, flat, left)
    if not removed:
        return {name: which[:0] for name, which in found.items()}, {}
    threshold = np.partition(values, removed)[removed]
    goes = values < threshold
    surplus = removed - int(np.count_nonzero(goes))
    if not surplus:
        return _by_layer(found, goes), {}
    equal = values == threshold
    tied = np.flatnonzero(equal)
    goes[tied[len(tied) - surplus :]] = True
    return _by_layer(found, goes), _by_layer(found, equal & ~goes)


def _by_layer(found: Mapping[str, Array], which: Array) -> dict[str, Array]:
    """Returns those of the indices by layer at which `which`, over those of all layers, is true."""
    ends = np.cumsum([len(indices) for indices in found.values()])[:-1]
    return {name: indices[part] for (name, indices), part in zip(found.items(), np.split(which, ends), strict=True)}


def _bound(slopes: Mapping[str, Array], left: Mapping[str, LayerLeft], share: float, total: int) -> float:
    """Returns a value that somewhat more than the lowest `share` of the scores do not exceed, by a sample of them."""
    step = sampling_step(total)
    if step is None:
        return np.inf
    sample = np.sort(np.concatenate([layer.sample(slopes[name], step) for name, layer in left.items()]))
    _, last = window(len(sample), share)
    return float(sample[last]) if last < len(sample) else np.inf


def _up_to(bound: float, slopes: Mapping[str, Array], left: Mapping[str, LayerLeft]) -> tuple[dict[str, Array], Array]:
    """Returns by layer the indices of those that do not exceed `bound`, and the scores of all of these."""
    found: dict[str, Array] = {}
    values: list[Array] = []
    for name, layer in left.items():
        which: list[Array] = []
        for start, scores in layer.chunks(slopes[name]):
            low = layer.present(np.flatnonzero(scores <= bound) + start)
            values.append(scores[low - start])
            which.append(low)
            if not np.isfinite(scores.sum()):  # or the sum alone overflows
                check_finite({name: torch.from_numpy(layer.sample(slopes[name], 1))})
        found[name] = np.concatenate(which) if which else np.empty(0, dtype=np.intp)
    return found, np.concatenate(values)
