"""Tests a network that is not being trained: its error on the test set, or on training images as they are."""

import torch
from torch import nn

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.batches import BatchBuilder
from sanity.training.cpu_threads import fitting
from sanity.training.precision import numerics

_BATCH = 500


@torch.no_grad()
def accuracy(net: nn.Module, dataset: Dataset, recipe: Recipe, device: torch.device, precision: str) -> float:
    """Returns the accuracy of `net` on `dataset` in percent, in evaluation mode, as the training loop tests.

    net: moved to `device`; its weights and buffers stay as they are.
    dataset: carries the constants that the recipe normalises with; its images are not augmented.
    precision: `fp32` or `bf16`.
    """
    net = net.to(device).eval()
    batches = BatchBuilder(dataset, recipe, dataset.mean, dataset.std)
    hits = torch.zeros((), dtype=torch.int64, device=device)
    with (
        numerics(device, precision, deterministic=False),
        fitting(net, dataset.input_shape, min(_BATCH, len(dataset))),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
    ):
        for start in range(0, len(dataset), _BATCH):
            images, targets = batches.test(slice(start, start + _BATCH))
            hits += (net(images).argmax(1) == targets).sum()
    return 100 * float(hits) / len(dataset)
