"""Measures zero-cost proxies of a ticket before training, beside those of random positions at the same counts.

A proxy of architecture search gives a network at initialisation one number (Abdelfattah et al. 2021, whose code is
SamsungLabs/zero-cost-nas). None of them is a verdict: they say how signals and gradients pass through the mask.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import methods
from methods.gradients import BatchNorm
from methods.scoring_copy import scoring_copy
from sanity.cli.audit.subject import Subject
from sanity.data.dataset import Dataset
from sanity.errors import of_ones_own
from sanity.grid.scoring_batches import scoring_batches
from sanity.masks import dense, prunable, scattered
from sanity.recipes import get as get_recipe
from sanity.seeds import derive, generator

MEANINGS = {
    "grad_norm": "norm of the loss's gradient by the kept weights, layer by layer: how strong the first step is",
    "fisher": "squared activation times gradient, summed over channels: how much the loss hangs on them",
    "jacob_cov": "how unlike the input gradients of different examples are; minus the number of examples at most",
    "ntk_trace": "squared gradients of the outputs by the kept weights, per example: how fast outputs move at first",
}
"""What each proxy says. Papers that rank networks by it take more for better."""
DRAWS = 5
"""Random masks that a ticket is compared with."""
_EXAMPLES, _SIGNS = 32, 8
_JITTER = 1e-5  # of jacob_cov, as published


@dataclass(frozen=True)
class Proxy:
    """A proxy of a ticket: its value, those of random positions at the same counts, and that of the dense network."""

    name: str
    ticket: float
    at_random: tuple[float, ...]
    dense: float


def proxies(subject: Subject) -> list[Proxy]:
    """Measures all proxies on the initial weights and a batch of examples; empty where one of these is not known.

    Batch norm takes the statistics of the batch. Raises `UserError` where the network cannot be run so, or the
    examples, however that fails: both may be the user's own.
    """
    network, train = subject.network, subject.train
    if network is None or subject.initial is None or train is None:
        return []
    with of_ones_own("the network, its weights or its data"):
        return _proxies(network, subject.mask, train)


def _proxies(network: nn.Module, mask: Mapping[str, Tensor], train: Dataset) -> list[Proxy]:
    ((examples, targets),) = scoring_batches(methods.get("snip"), train, get_recipe("quick"), generator(0, "proxies"))
    batch = examples[:_EXAMPLES], targets[:_EXAMPLES]
    source = generator(0, "proxies", "positions")
    masks: list[Mapping[str, Tensor]] = [mask, dense(network)]
    for draw in range(DRAWS):
        masks.append(
            {name: scattered(layer, int(layer.sum()), derive(source, draw, name)) for name, layer in mask.items()}
        )
    ticket, whole, *drawn = (measured(network, mask, *batch) for mask in masks)
    return [Proxy(name, ticket[name], tuple(values[name] for values in drawn), whole[name]) for name in MEANINGS]


def measured(network: nn.Module, mask: Mapping[str, Tensor], examples: Tensor, targets: Tensor) -> dict[str, float]:
    """Returns every proxy of a masked network on one batch.

    grad_norm: sum over layers of |m dL/dw|. fisher: over the channels of every layer, 1/2 mean over examples of (sum
    over places of a dL/da)^2, a the layer's output, times the channel's kept weights. jacob_cov: -sum (log(l + k) +
    1/(l + k)), l the eigenvalues of the correlations between examples of the gradients of their outputs' sum by the
    input, k = 1e-5. ntk_trace: sum over outputs of |m df/dw|^2, a mean over examples, estimated with random signs.
    """
    with scoring_copy(network, [(examples, targets)], double=False) as (net, ((inputs, labels),)):
        weights = prunable(net)
        for module in net.modules():
            if isinstance(module, BatchNorm):
                module.train()
        with torch.no_grad():
            for name, weight in weights.items():
                weight.mul_(mask[name])
        inputs = inputs.clone().requires_grad_(True)
        with _outputs(net) as activations:
            logits = net(inputs)
        loss = F.cross_entropy(logits, labels)
        slopes = _of_weights(loss, weights, mask)
        passed = torch.autograd.grad(loss, list(activations.values()), retain_graph=True, allow_unused=True)
        (by_input,) = torch.autograd.grad(logits.sum(), inputs, retain_graph=True)
        fisher = sum(
            float(_of_channels(activations[name], slope) @ mask[name].flatten(1).sum(1).to(slope))
            for name, slope in zip(activations, passed, strict=True)
            if slope is not None
        )
        return {
            "grad_norm": sum(float(slope.norm()) for slope in slopes),
            "fisher": fisher,
            "jacob_cov": _apart(by_input.flatten(1)),
            "ntk_trace": _trace(logits, weights, mask),
        }


@contextmanager
def _outputs(net: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Context manager; collects the outputs of convolutions and linear layers by the names of their weights."""
    outputs: dict[str, Tensor] = {}

    def collects(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs[name] = output

        return hook

    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    handles = [module.register_forward_hook(collects(f"{name}.weight")) for name, module in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _of_weights(value: Tensor, weights: dict[str, nn.Parameter], mask: Mapping[str, Tensor]) -> Sequence[Tensor]:
    """Returns the gradients of a scalar by the kept weights, zero for the others."""
    grads = torch.autograd.grad(value, list(weights.values()), retain_graph=True, allow_unused=True)
    return [grad * mask[name] for name, grad in zip(weights, grads, strict=True) if grad is not None]


def _of_channels(output: Tensor, slope: Tensor) -> Tensor:
    """Returns half the mean over examples of the squared product of output and gradient, by channel."""
    product = (output.detach() * slope).movedim(1 if output.dim() == 4 else -1, -1)
    return product.reshape(len(product), -1, product.shape[-1]).sum(1).square().mean(0) / 2


def _apart(rows: Tensor) -> float:
    """Returns the score of the correlations between rows; it is largest where there are none."""
    alike = torch.corrcoef(rows.detach().double()).nan_to_num(0.0)  # a row of zeros is like no other
    values = torch.linalg.eigvalsh(alike) + _JITTER
    return -float((values.log() + 1 / values).sum())


def _trace(logits: Tensor, weights: dict[str, nn.Parameter], mask: Mapping[str, Tensor]) -> float:
    """Estimates the trace of the neural tangent kernel by examples: E |d(s f)/dw|^2 over random signs s."""
    source, total = generator(0, "proxies", "signs"), 0.0
    for _ in range(_SIGNS):
        signs = torch.randint(2, logits.shape, generator=source).to(logits) * 2 - 1
        total += sum(float(grad.square().sum()) for grad in _of_weights((signs * logits).sum(), weights, mask))
    return total / _SIGNS / len(logits)
