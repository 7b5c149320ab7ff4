"""Measures a mask for the records: size, effective density, collapse and counts per layer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sanity import masks
from sanity.grid.experiment import Experiment
from sanity.masks import prunable, unpruned
from sanity.masks.effective_density import STATISTICS_ALONE, density_of_paths
from sanity.masks.operations import Operations, operations


def measured(mask: Mapping[str, Tensor], seed: int, experiment: Experiment) -> dict[str, Any]:
    """Measures the mask of a ticket of this seed."""
    kept, size = masks.kept(mask), masks.size(mask)
    net = experiment.initial(seed)
    weights_only = {name: mask[name] for name in prunable(net)}
    unknown, density = experiment.paths_unknown, None
    if not unknown:
        density = density_of_paths(net, weights_only, experiment.train.input_shape)
        unknown = STATISTICS_ALONE if density is None else ""
    return {
        "kept": kept,
        "prunable": size,
        "actual_ratio": 1 - kept / size,
        "left_dense": unpruned(net),
        "effective_density": density,
        **({"paths_unknown": unknown} if unknown else {}),
        "collapsed": masks.collapsed(weights_only),
        "layers": masks.layers(mask),
        "operations": _operations(mask, seed, experiment),
    }


def _operations(mask: Mapping[str, Tensor], seed: int, experiment: Experiment) -> dict[str, float]:
    """Returns the operations of one example's forward pass: of the whole network, and of the kept weights alone."""

    def count() -> Operations:
        return operations(experiment.initial(seed), experiment.train.input_shape)

    whole = experiment.once("operations", count)
    return {"whole": whole.total, "kept": whole.of_kept(mask)}


def of_changed_mask(
    mask: Mapping[str, Tensor] | None, before: Mapping[str, Tensor], updates: int | None, seed: int, ex: Experiment
) -> dict[str, Any]:
    """Returns what the record of a training says of a mask that it changed; empty where it changed none.

    `final_mask` stands in the rows of tables in the place of what was measured on the mask `before`. `stayed` is the
    share of its weights that the mask before kept, too.
    """
    if mask is None:
        return {}
    return {
        "mask_updates": updates,
        "stayed": masks.overlap(mask, before),
        "final_mask": measured(mask, seed, ex),
    }
