"""Describes a training to an experiment tracker: its settings, and the densities of its mask."""

from collections.abc import Mapping

from torch import Tensor

from sanity.console.trackers import TrackedRun
from sanity.grid.experiment import Experiment
from sanity.recipes import describe


def tracked(key: str, title: str, seed: int, mask: Mapping[str, Tensor] | None, experiment: Experiment) -> TrackedRun:
    """Describes the training `key` of a ticket with this mask; None: dense."""
    config = experiment.config
    facts: dict[str, str | int | float] = {
        "key": key,
        "title": title,
        "dataset": config.dataset,
        "model": config.model,
        "recipe": config.recipe,
        "options": config.overrides(),
        "recipe_in_full": describe(experiment.recipe),
        "seed": seed,
        "precision": experiment.precision,
        "device": experiment.machine.device,
    }
    return TrackedRun(key, title, facts, densities(mask or {}))


def densities(mask: Mapping[str, Tensor]) -> dict[str, float]:
    """Returns the sparsity of a mask and the density of each of its layers, shares between 0 and 1.

    Masks of single vectors, which go with whole channels, are not counted.
    """
    layers = {name: layer for name, layer in mask.items() if layer.dim() > 1}
    kept = {name: int(layer.count_nonzero()) for name, layer in layers.items()}
    total = sum(layer.numel() for layer in layers.values())
    sparsity = 1 - sum(kept.values()) / total if total else 0.0
    return {"sparsity": sparsity, **{f"density/{name}": kept[name] / layer.numel() for name, layer in layers.items()}}
