"""PX is the paper's formula, and its variants are both published versions, computed by other means."""

import copy
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import methods
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import prunable

VERSIONS: dict[str, dict[str, Any]] = {
    "iurada2024": {"augment": False},
    "iurada2025": {"augment": False, "batch_norm": "batch"},
}


class Gate(nn.Module):
    """A unit that notes where it is open, or is open where it was noted, or everywhere."""

    def __init__(self, patterns: list[Tensor], mode: str) -> None:
        super().__init__()
        self.patterns, self.mode = patterns, mode

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "note":
            self.patterns.append(x.detach() > 0)
            return x.relu()
        return x * self.patterns.pop(0) if self.mode == "replay" else x


def gated(model: nn.Module, patterns: list[Tensor], mode: str) -> nn.Module:
    return nn.Sequential(*(Gate(patterns, mode) if isinstance(layer, nn.ReLU) else layer for layer in model.children()))


def transformed(model: nn.Module, how: str, with_classifier: bool) -> nn.Module:
    """Every convolution and linear layer with its parameters squared or ones, the last one if told."""
    changed = copy.deepcopy(model).train()
    layers = [layer for layer in changed.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for layer in layers if with_classifier else layers[:-1]:
            for parameter in layer.parameters():
                parameter.square_() if how == "squared" else parameter.fill_(1)
    return changed


def by_other_means(model: nn.Module, batches: nets.Batches, version: str) -> dict[str, Tensor]:
    """Two networks made beside the scored one, their activations exchanged for gates."""
    old = version == "iurada2024"
    kernel = transformed(model, "squared", with_classifier=old)
    shown = copy.deepcopy(model).train() if old else transformed(model, "ones", with_classifier=False)
    for examples, _ in batches:
        patterns: list[Tensor] = []
        with torch.no_grad():
            gated(copy.deepcopy(model).train(old), patterns, "note")(examples)
            first = gated(shown, patterns, "replay")(examples if old else examples**2)
        second = gated(kernel, patterns, "open")(examples if old else torch.ones_like(examples))
        (first * second).sum().backward()
    scores = {}
    for name, weight in prunable(model).items():
        inner = kernel.get_parameter(name)
        assert inner.grad is not None
        own = weight.detach()
        scores[name] = (inner.grad * own**2 * (inner.detach() * own if old else 1)).abs()
    return scores


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["perceptron", "batch_norm"])
def test_both_versions_are_their_formula_by_other_means(name: str, version: str) -> None:
    model, batches = nets.net(name, double=True), nets.batches(double=True)
    ours = methods.get("px", version, **VERSIONS[version]).score(model, batches)
    for key, theirs in by_other_means(model, batches, version).items():
        torch.testing.assert_close(ours[key], theirs, rtol=1e-9, atol=1e-12 * float(theirs.max()))


def test_the_default_is_the_papers_formula_path_by_path() -> None:
    """w_j^2 times, over images and classes, the active paths' squared pixels times the squares of paths through j."""
    layers = [nn.Linear(4, 3, bias=False), nn.Linear(3, 3, bias=False), nn.Linear(3, 2, bias=False)]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for layer in layers:
            nn.init.normal_(layer.weight)
        images = torch.randn(5, 1, 2, 2, dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]).double()
    first, second, last = (layer.weight.detach() for layer in layers)
    pixels = images.flatten(1)
    hidden = pixels @ first.T
    open_first, open_second = hidden > 0, hidden.relu() @ second.T > 0
    active = torch.zeros(5, 2, dtype=torch.float64)
    through = {name: torch.zeros(2, *weight.shape, dtype=torch.float64) for name, weight in prunable(model).items()}
    for i, j, k, c in product(range(4), range(3), range(3), range(2)):
        active[:, c] += pixels[:, i] ** 2 * open_first[:, j] * open_second[:, k]
        value = (first[j, i] * second[k, j] * last[c, k]) ** 2
        for name, (row, column) in zip(through, ((j, i), (k, j), (c, k)), strict=True):
            through[name][c, row, column] += value
    scores = methods.get("px").score(model, [(images, torch.zeros(5, dtype=torch.long))])
    for name, paths in through.items():
        torch.testing.assert_close(scores[name], torch.einsum("nc,cij->ij", active, paths), rtol=1e-9, atol=0)


def test_no_label_is_read() -> None:
    model, batches = nets.net("shortcut"), nets.batches()
    false = [(examples, targets.flip(0)) for examples, targets in batches]
    assert not nets.changed(methods.get("px").score(model, batches), methods.get("px").score(model, false))


@pytest.mark.parametrize(
    "option",
    [
        {"activated": "own"},
        {"images": "plain"},
        {"classifier": "own"},
        {"factor": "twice"},
        {"open_in": "batch"},
    ],
    ids=str,
)
def test_every_option_matters(option: dict[str, Any]) -> None:
    model, batches = nets.net("batch_norm"), nets.batches()
    assert nets.changed(methods.get("px").score(model, batches), methods.get("px", **option).score(model, batches))


def test_functions_and_modules_are_gated_alike() -> None:
    class Functional(nn.Module):
        def __init__(self, layers: nn.Module) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers.children():
                x = nn.functional.relu(x, inplace=True) if isinstance(layer, nn.ReLU) else layer(x)
            return x

    model = nets.net("batch_norm")
    scores, other = (methods.get("px").score(net, nets.batches()) for net in (model, Functional(model)))
    assert not nets.changed(scores, {name.removeprefix("layers."): score for name, score in other.items()})


@pytest.mark.parametrize("activation", [nn.GELU(), nn.Tanh(), nn.ReLU6()], ids=lambda each: type(each).__name__)
def test_networks_without_paths_are_refused(activation: nn.Module) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 5), activation, nn.Linear(5, nets.CLASSES))
    with pytest.raises(UserError, match=r"PX: .* of Sequential is not linear while a unit is open"):
        methods.get("px").mask(model, nets.batches(), 0.5)


def test_batch_statistics_of_ones_leave_nothing_of_convolutions_before_a_mean() -> None:
    """What the code of 2025 computes on ResNets and VGGs: derivatives that cancel."""
    model, batches = nets.net("batch_norm", double=True), nets.batches(double=True)
    batch, running = (methods.get("px", batch_norm=mode).score(model, batches) for mode in ("batch", "running"))
    for name in ("0.weight", "3.weight"):
        assert batch[name].max() < 1e-12 * running[name].max()
