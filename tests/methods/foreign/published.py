"""Small pruners of our own in the shapes in which pruners are published; the adapters of the docs page call them."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Loader = Iterable[tuple[Tensor, Tensor]]


def layers(net: nn.Module) -> Iterator[nn.Linear | nn.Conv2d]:
    return (layer for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d))


def gradients(net: nn.Module, loader: Loader, nll: bool) -> list[Tensor]:
    images, targets = next(iter(loader))
    loss = F.nll_loss(net(images), targets) if nll else F.cross_entropy(net(images), targets)
    return list(torch.autograd.grad(loss, [layer.weight for layer in layers(net)]))


def highest(scores: list[Tensor], keep: int) -> list[Tensor]:
    threshold = torch.cat([score.flatten() for score in scores]).topk(keep).values[-1]
    return [(score >= threshold).float() for score in scores]


def snip(net: nn.Module, keep_ratio: float, train_dataloader: Loader, device: torch.device) -> list[Tensor]:
    """A list of masks; of a copy of the network, which gives log-probabilities."""
    net = copy.deepcopy(net)
    scores = [
        (layer.weight * grad).abs()
        for layer, grad in zip(layers(net), gradients(net, train_dataloader, True), strict=True)
    ]
    return highest(scores, int(keep_ratio * sum(score.numel() for score in scores)))


def grasp(
    net: nn.Module, ratio: float, loader: Loader, device: torch.device, num_classes: int = 10,
    samples_per_class: int = 25, num_iters: int = 1, T: float = 200, reinit: bool = True,  # noqa: N803
) -> dict[nn.Module, Tensor]:  # fmt: skip
    """Module -> mask."""
    scores = [-layer.weight * grad / T for layer, grad in zip(layers(net), gradients(net, loader, False), strict=True)]
    return dict(zip(layers(net), highest(scores, int((1 - ratio) * sum(s.numel() for s in scores))), strict=True))


class SynFlow:
    """An object with (mask, parameter) pairs in `masked_parameters`."""

    def __init__(self, masked_parameters: Iterable[tuple[Tensor, nn.Parameter]]) -> None:
        self.masked_parameters = list(masked_parameters)
        self.scores: list[Tensor] = []

    def score(self, model: nn.Module, loss: Any, dataloader: Loader, device: torch.device) -> None:
        signs = [parameter.sign() for parameter in model.parameters()]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.abs_()
        images, _ = next(iter(dataloader))
        model(torch.ones_like(images[:1])).sum().backward()
        self.scores = []
        with torch.no_grad():
            for _, parameter in self.masked_parameters:
                assert parameter.grad is not None
                self.scores.append(parameter.grad * parameter)
                parameter.grad.zero_()
            for parameter, sign in zip(model.parameters(), signs, strict=True):
                parameter.mul_(sign)

    def mask(self, sparsity: float, scope: str) -> None:
        keep = round(sparsity * sum(score.numel() for score in self.scores))
        for (mask, _), kept in zip(self.masked_parameters, highest(self.scores, keep), strict=True):
            mask.copy_(kept)

    @torch.no_grad()
    def apply_mask(self) -> None:
        for mask, parameter in self.masked_parameters:
            parameter.mul_(mask)


def iterative_pruning(
    ori_net: nn.Module, train_dataloader: Loader, device: torch.device, pruning_factor: float = 0.1,
    prune_method: int = 3, num_steps: int = 10,
) -> list[Tensor]:  # fmt: skip
    """A list of masks after several steps in which pruned weights may come back."""
    net = copy.deepcopy(ori_net)
    dense = [layer.weight.detach().clone() for layer in layers(net)]
    masks = [torch.ones_like(weight) for weight in dense]
    for step in range(1, num_steps + 1):
        grads = gradients(net, train_dataloader, True)
        scores = [(weight * grad).abs() for weight, grad in zip(dense, grads, strict=True)]
        total = sum(score.numel() for score in scores)
        masks = highest(scores, int(pruning_factor ** (step / num_steps) * total))
        with torch.no_grad():
            for layer, weight, mask in zip(layers(net), dense, masks, strict=True):
                layer.weight.copy_(weight * mask)
    return masks
