"""Builds networks, batches, data and tickets that are small enough for the proofs."""

import copy
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sanity.data.dataset import Dataset
from sanity.masks import allocate, prunable
from sanity.masks.ticket import Ticket
from sanity.seeds import derive, generator

CHANNELS, SIDE, CLASSES = 3, 6, 4
Batches = list[tuple[Tensor, Tensor]]


class Residual(nn.Module):
    """A block with a 1x1 convolution as its shortcut, batch norm or none."""

    def __init__(self, norm: Callable[[int], nn.Module], bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=bias)
        self.bn1 = norm(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=bias)
        self.bn2 = norm(8)
        self.shortcut = nn.Conv2d(6, 8, 1, stride=2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


def _perceptron(bias: bool = True) -> nn.Module:
    inputs = CHANNELS * SIDE * SIDE
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 8, bias),
        nn.ReLU(),
        nn.Linear(8, 10, bias),
        nn.ReLU(),
        nn.Linear(10, CLASSES, bias),
    )


def _convolutional(bias: bool = True, dropout: float = 0.5) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(CHANNELS, 6, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(72, CLASSES, bias),
    )


def _batch_norm() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(CHANNELS, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def _shortcut(norm: Callable[[int], nn.Module] = nn.BatchNorm2d, bias: bool = False) -> nn.Module:
    first = nn.Conv2d(CHANNELS, 6, 3, padding=1, bias=bias)
    return nn.Sequential(
        first,
        norm(6),
        nn.ReLU(),
        Residual(norm, bias),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES, bias),
    )


NETS: dict[str, Callable[[], nn.Module]] = {
    "perceptron": _perceptron,
    "convolutional": _convolutional,
    "batch_norm": _batch_norm,
    "shortcut": _shortcut,
}
# ReLU networks without biases and batch norm, for which conservation laws hold. The first two are chains of layers.
BIAS_FREE: dict[str, Callable[[], nn.Module]] = {
    "free_perceptron": partial(_perceptron, bias=False),
    "free_convolutional": partial(_convolutional, bias=False, dropout=0.0),
    "free_shortcut": partial(_shortcut, norm=lambda _: nn.Identity(), bias=False),
}
CHAINS = ("free_perceptron", "free_convolutional")


def net(name: str, seed: int = 0, double: bool = False) -> nn.Module:
    """Returns a network whose parameters and buffers are all drawn, none of them zero or one; evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        model = (NETS | BIAS_FREE)[name]()
    source = generator(seed, "net")
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            drawn = torch.randn(tensor.shape, generator=source)
            fan_in = max(tensor[0].numel(), 1) if tensor.dim() > 1 else 1
            positive = tensor.dim() == 1 and not key.endswith("bias")
            tensor.copy_(0.5 + 0.5 * drawn.abs() if positive and "mean" not in key else drawn * (2 / fan_in) ** 0.5)
    return (model.double() if double else model).eval()


def dataset(examples: int = 48, seed: int = 0, classes: int = CLASSES, side: int = SIDE) -> Dataset:
    """Returns noise with labels that come in turn; every class is there."""
    source = generator(seed, "dataset")
    images = torch.randint(256, (examples, CHANNELS, side, side), generator=source, dtype=torch.uint8)
    return Dataset(images, torch.arange(examples) % classes, classes, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), "noise")


def batches(data: Dataset | None = None, size: int = 8, count: int = 2, double: bool = False) -> Batches:
    """Returns the first `count` batches of `size` examples, from the first again where they are few; every class of the
    data set is in each."""
    chosen = data or dataset()
    parts = [torch.arange(size * i, size * (i + 1)) % len(chosen) for i in range(count)]
    dtype = torch.float64 if double else torch.float32
    return [(chosen.normalise(chosen.pixels[part], dtype), chosen.targets[part].clone()) for part in parts]


def scores(model: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Returns noise for every prunable weight."""
    source = generator(seed, "scores")
    return {name: torch.randn(weight.shape, generator=source) for name, weight in prunable(model).items()}


def ticket(ratio: float = 0.5, seed: int = 0, name: str = "shortcut") -> Ticket:
    """Returns a ticket whose pruned weights still hold their values, as one that comes from a method does."""
    model = net(name, seed)

    def fresh(source: torch.Generator) -> dict[str, Tensor]:
        return net(name, int(torch.randint(2**31, (), generator=derive(source, "init")))).state_dict()

    mask, reference = allocate(scores(model, seed), ratio), allocate(scores(model, seed + 1), ratio, "erk")
    end = net(name, seed + 1).state_dict()
    return Ticket(model.state_dict(), mask, start_epoch=1, fresh=fresh, network=model, reference=reference, end=end)


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Returns everything about a module that scoring must leave as it found it, copied."""
    state: dict[str, Any] = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        state[f"value of {name}"] = tensor.detach().clone()
        state[f"identity of {name}"] = (id(tensor), tensor.data_ptr(), tensor.dtype)
        state[f"requires_grad of {name}"] = tensor.requires_grad
        state[f"grad of {name}"] = None if tensor.grad is None else tensor.grad.clone()
    for name, module in model.named_modules():
        state[f"mode of {name or 'model'}"] = module.training
        hooks = {
            key: [id(hook) for hook in value.values()]
            for key, value in vars(module).items()
            if "_hooks" in key and value
        }
        state[f"hooks of {name or 'model'}"] = hooks
        state[f"forward of {name or 'model'}"] = vars(module).get("forward")
    return state


def random_state() -> dict[str, Any]:
    """Returns the state of the three global random generators."""
    numpy = np.random.get_state(legacy=False)["state"]
    return {
        "python": random.getstate(),
        "numpy": (numpy["key"].tobytes(), numpy["pos"]),
        "torch": torch.get_rng_state(),
    }


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns the keys under which two mappings of tensors and plain values differ, to the bit."""
    return [key for key in before.keys() | after.keys() if not same(before.get(key), after.get(key))]


def same(first: Any, second: Any) -> bool:
    """Returns whether both values are equal to the bit and of one type."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and first.shape == second.shape and torch.equal(first, second)
    return bool(type(first) is type(second) and first == second)


def unusual(model: nn.Module) -> nn.Module:
    """Returns a copy in a state that scoring could easily disturb: mixed modes, a frozen weight, gradients, a hook."""
    odd = copy.deepcopy(model).train()
    modules = [module for module in odd.modules() if not list(module.children())]
    modules[1].eval()
    modules[0].register_forward_hook(lambda *_: None)
    for number, parameter in enumerate(odd.parameters()):
        parameter.requires_grad_(number != 1)
        parameter.grad = torch.full_like(parameter, 0.25) if number % 2 == 0 else None
    return odd
