"""Measures the error barrier on the line between two trained networks (linear mode connectivity)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.batches import BatchBuilder
from sanity.training.evaluation import accuracy
from sanity.training.precision import numerics

POINTS = 11
"""On the line, both ends included."""
_BATCH, _BATCHES = 250, 20
"""Of the training images from which the statistics of batch norm are measured anew."""


def errors(
    net: nn.Module,
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    splits: Sequence[Dataset],
    recipe: Recipe,
    device: torch.device,
    precision: str,
) -> list[list[float]]:
    """Returns for each split the error in percent at `POINTS` equally spaced points from one end to the other.

    Weights and all other floating-point values are interpolated linearly. Batch norm's running statistics do not
    interpolate (Jordan et al. 2023): at every point, the ends included, they are measured anew on the first training
    images, as they are.

    Args:
        net: a network of the architecture, which is changed.
        ends: two state dicts.
        splits: data that carry the recipe's normalisation; the first is the training set.
    """
    rows: list[list[float]] = [[] for _ in splits]
    for point in range(POINTS):
        net.load_state_dict(interpolated(*ends, point / (POINTS - 1)))
        _measure_statistics(net.to(device), splits[0], recipe, precision)
        for row, split in zip(rows, splits, strict=True):
            row.append(100 - accuracy(net, split, recipe, device, precision))
    return rows


def barrier(row: Sequence[float]) -> float:
    """Returns by how many points the error rises at most above the line between the errors of both ends.

    Entezari et al. 2022, equation 1, on the error. For ends of equal error it is the barrier of Frankle et al. 2020,
    who subtract the mean of both ends.
    """
    last = len(row) - 1
    line = [row[0] + (row[-1] - row[0]) * place / last for place in range(len(row))]
    return max(error - straight for error, straight in zip(row, line, strict=True))


def interpolated(first: Mapping[str, Tensor], second: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Returns (1 - share) * first + share * second; of values that are no fractions, such as counts, the first's."""
    return {
        name: torch.lerp(value, second[name].to(value), share) if value.is_floating_point() else value
        for name, value in first.items()
    }


@torch.no_grad()
def _measure_statistics(net: nn.Module, train: Dataset, recipe: Recipe, precision: str) -> None:
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    batches = BatchBuilder(train, recipe, train.mean, train.std)
    device = next(net.parameters()).device
    with (
        numerics(device, precision, deterministic=False),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
    ):
        for start in range(0, min(len(train) // _BATCH, _BATCHES) * _BATCH or len(train), _BATCH):
            net(batches.test(slice(start, start + _BATCH))[0])
