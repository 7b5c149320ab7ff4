"""Whatever somebody's function returns is read as the mask that it means, or refused in one line."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from methods.foreign.method import as_method
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import Mask, prunable
from sanity.seeds import generator
from tests.methods.foreign.published import layers

SHORTCUT = nets.net("shortcut")
MASK: Mask = {
    name: torch.rand(weight.shape, generator=generator(0, name)) > 0.5 for name, weight in prunable(SHORTCUT).items()
}
Shape = Callable[[nn.Module], Any]


class Holder:
    """An object with (mask, parameter) pairs."""

    def __init__(self, pairs: list[tuple[Tensor, nn.Parameter]]) -> None:
        self.pairs = pairs

    def masked_parameters(self) -> Any:
        return iter(self.pairs)


def in_order() -> list[Tensor]:
    return [mask.float() for mask in MASK.values()]


def masked_by_torch(net: nn.Module) -> nn.Module:
    for layer, mask in zip(layers(net), MASK.values(), strict=True):
        prune.custom_from_mask(layer, "weight", mask)
    return net


def zeroed(net: nn.Module) -> nn.Module:
    with torch.no_grad():
        for name, weight in prunable(net).items():
            weight.mul_(MASK[name])
    return net


def nothing(change: Callable[[nn.Module], nn.Module]) -> Shape:
    return lambda net: change(net) and None


SHAPES: dict[str, Shape] = {
    "names": lambda net: MASK,
    "names of modules": lambda net: {name.removesuffix(".weight"): mask.int() for name, mask in MASK.items()},
    "names of a wrapper": lambda net: {f"module.{name}": mask for name, mask in MASK.items()},
    "numbers": lambda net: dict(enumerate(in_order())),
    "modules": lambda net: dict(zip(layers(net), in_order(), strict=True)),
    "modules of a copy": lambda net: dict(zip(layers(copy.deepcopy(net)), in_order(), strict=True)),
    "modules, by parameter": lambda net: {
        layer: {"weight": mask} for layer, mask in zip(layers(net), in_order(), strict=True)
    },
    "parameters": lambda net: dict(zip(prunable(net).values(), MASK.values(), strict=True)),
    "a list": lambda net: in_order(),
    "a generator": lambda net: iter(in_order()),
    "arrays": lambda net: tuple(mask.numpy().astype(np.uint8) for mask in MASK.values()),
    "pairs": lambda net: list(zip(in_order(), prunable(net).values(), strict=True)),
    "turned pairs": lambda net: list(zip(prunable(net).values(), in_order(), strict=True)),
    "pairs of a copy": lambda net: list(zip(in_order(), prunable(copy.deepcopy(net)).values(), strict=True)),
    "an object": lambda net: Holder(list(zip(in_order(), prunable(net).values(), strict=True))),
    "a vector": lambda net: torch.cat([mask.flatten() for mask in in_order()]),
    "masks of biases too": lambda net: [
        part for layer, mask in zip(layers(net), in_order(), strict=True) for part in (mask, torch.zeros(len(mask)))
    ],
    "torch's masks": masked_by_torch,
    "a wrapped network": lambda net: nn.Sequential(masked_by_torch(net), nn.LogSoftmax(1)),
    "torch's masks in a state dict": lambda net: masked_by_torch(net).state_dict(),
    "zeros": zeroed,
    "torch's masks in place": nothing(masked_by_torch),
    "zeros in place": nothing(zeroed),
}


def mask_of(shape: Shape) -> Mask:
    def find(model: nn.Module, loader: object, ratio: float) -> Any:
        return shape(model)

    return as_method(find, "theirs:find")().mask(SHORTCUT, nets.batches(), 0.5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_the_same_mask(shape: Shape) -> None:
    assert not nets.changed(MASK, mask_of(shape))


BAD: dict[str, tuple[Shape, str]] = {
    "scores": (lambda net: [mask + 0.25 for mask in in_order()], "'0' holds .*25, but a mask is zeros and ones"),
    "nan": (lambda net: [mask * float("nan") for mask in in_order()], "'0' holds nan, but a mask is zeros and ones"),
    "too few": (lambda net: in_order()[:-1], "is a list of 4 tensors, but the network has 5 layers"),
    "another shape": (
        lambda net: [mask.transpose(0, 1) for mask in in_order()],
        "'0' is 3x6x3x3, but that layer of the network",
    ),
    "another name": (lambda net: {f"x{n}": torch.ones(n + 1, 2) for n in range(5)}, "has no layer for '0.weight'"),
    "text": (lambda net: "masks", "returns a str"),
    "a number": (lambda net: 0.5, "returns a float"),
    "lists of numbers": (lambda net: [[1, 0]], "returns a list in the place of a mask"),
    "nothing": (lambda net: [], "returns no masks"),
    "nothing, nothing pruned": (lambda net: None, "has pruned nothing of the network that it was given"),
    "an unpruned network": (lambda net: net, "none of its weights is zero"),
    "a short vector": (lambda net: torch.ones(7), "one tensor of 7 entries, but the network has 1250 weights"),
    "everything": (lambda net: [torch.ones_like(mask) for mask in in_order()], "removes nothing of 1250 weights"),
    "keeps nothing": (lambda net: [torch.zeros_like(mask) for mask in in_order()], "keeps nothing of 1250 weights"),
}


@pytest.mark.parametrize(("shape", "complaint"), BAD.values(), ids=BAD)
def test_what_is_no_mask_is_one_line(shape: Shape, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as raised:
        mask_of(shape)
    assert str(raised.value).startswith("theirs:find: ")
    assert "\n" not in str(raised.value)
