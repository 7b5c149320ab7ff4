"""The passes of a search are counted as they are made: of ours, and of code that we have not seen."""

import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import methods
from sanity.grid.passes import Passes, counted
from sanity.invariants import nets
from sanity.seeds import generator

EXAMPLES = sum(len(examples) for examples, _ in nets.batches())


def of(name: str, **options: Any) -> Passes:
    """The passes of a mask, which counting does not change."""
    method, net, passes = methods.get(name, **options), nets.net("convolutional"), Passes()
    alone = method.mask(net, nets.batches(), 0.5, generator(0))
    with counted(net, passes):
        mask = method.mask(net, nets.batches(), 0.5, generator(0))
    assert not nets.changed(alone, mask)
    assert not net._forward_hooks
    return passes


@pytest.mark.parametrize(
    ("name", "options", "gradients"),
    [
        ("magnitude", {}, 0),
        ("snip", {}, EXAMPLES),
        ("snip", {"rounds": 5}, 5 * EXAMPLES),
        ("grasp", {}, 4 * EXAMPLES),  # a gradient; another whose graph is kept, and back through it: 1 + 1 + 2
        ("synflow", {}, 100),  # rounds, of one input of ones
        ("force", {"rounds": 10}, 10 * EXAMPLES),
        ("npb", {}, 1),
    ],
)
def test_a_method_takes_the_gradients_of_its_formula(name: str, options: dict[str, Any], gradients: float) -> None:
    assert of(name, **options).gradients == gradients


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_prospr_goes_forward_and_back_through_every_step_and_its_last_loss(steps: int) -> None:
    batch = len(nets.batches()[0][0])
    assert of("prospr", steps=steps, momentum=0.0) == Passes(*(batch * n for n in (steps + 1, steps + 1, steps)))
    first = of("prospr", steps=steps, momentum=0.0, first_order=True)
    assert first.second == 0


def operations(net: nn.Module, *, second: bool, back: bool = True) -> int:
    """Operations as torch counts them, of a pass, a gradient, or a product with the Hessian."""
    images, targets = torch.randn(4, nets.CHANNELS, nets.SIDE, nets.SIDE), torch.arange(4) % 3
    weights = [weight for weight in net.parameters() if weight.dim() > 1]
    with FlopCounterMode(display=False) as counter:
        loss = F.cross_entropy(net(images), targets)
        slopes = torch.autograd.grad(loss, weights, create_graph=second) if back else ()
        if second:
            torch.autograd.grad(torch.stack([(slope * slope.detach()).sum() for slope in slopes]).sum(), weights)
    return int(counter.get_total_flops())


def test_passes_weigh_as_their_operations_do() -> None:
    """Of a network whose first layer is small beside the rest: it needs no derivative by the images."""
    net = nn.Sequential(
        *(nn.Conv2d(nets.CHANNELS, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * nets.SIDE**2, 4)),
    )
    forward = operations(net, second=False, back=False)
    gradient, product = operations(net, second=False), operations(net, second=True)
    assert gradient / forward == pytest.approx(3 * Passes(1, 1).gradients, rel=0.05)
    assert product / gradient == pytest.approx(Passes(1, 1, 1).gradients, rel=0.05)


def hessian(net: nn.Module, images: Tensor, targets: Tensor) -> None:
    weights = list(net.parameters())
    slopes = torch.autograd.grad(F.cross_entropy(net(images), targets), weights, create_graph=True)
    torch.autograd.grad(torch.stack([slope.square().sum() for slope in slopes]).sum(), weights)


def each_example(net: nn.Module, images: Tensor, targets: Tensor) -> None:
    def loss(weights: dict[str, Tensor], image: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, weights, (image[None],)), target[None])

    torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(dict(net.named_parameters()), images, targets)


def of_a_copy(net: nn.Module, images: Tensor, targets: Tensor) -> None:
    copied = copy.deepcopy(net)
    F.cross_entropy(copied(input=images), targets).backward()
    with torch.no_grad():
        copied(images)
    pickle.dumps(copied)


@pytest.mark.parametrize(
    ("searching", "expected"),
    [(hessian, Passes(8, 8, 8)), (each_example, Passes(8, 8)), (of_a_copy, Passes(16, 8))],
)
def test_somebody_elses_code_is_counted_by_what_it_does(searching: object, expected: Passes) -> None:
    net, passes = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 3)), Passes()
    with counted(net, passes):
        searching(net, torch.randn(8, 3, 2, 2), torch.arange(8) % 3)  # type: ignore[operator]
    assert passes == expected
