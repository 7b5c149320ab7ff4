"""Tanaka et al. 2020, theorem 1: what flows into a hidden unit flows out of it; and what SynFlow makes of it.

The law holds for scores of the form w * dR/dw on ReLU networks without biases and batch norm. SynFlow's are of that
form. SNIP's are |w * dL/dw|, so it is shown where the absolute value takes nothing away: all weights positive but the
last layer's row of the true class, one class a batch, positive inputs.
"""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import methods
from sanity.invariants import nets
from sanity.masks import allocate, collapsed, prunable
from sanity.seeds import generator

SEED = st.integers(0, 2**20)
QUICK = settings(max_examples=15, deadline=None, derandomize=True)
# Layers whose outputs are read by the next one alone.
JOINTS = {
    "free_perceptron": [("1.weight", "3.weight"), ("3.weight", "5.weight")],
    "free_convolutional": [("0.weight", "3.weight"), ("3.weight", "7.weight")],
    "free_shortcut": [("3.conv1.weight", "3.conv2.weight")],
}


def flows(scores: dict[str, Tensor], name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """(score into, score out of) every hidden unit or channel between two layers."""
    for before, after in JOINTS[name]:
        into = scores[before].flatten(1).sum(1)
        yield into, scores[after].reshape(len(scores[after]), len(into), -1).sum((0, 2))


def one_signed(name: str, seed: int, true: int) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A network and a batch on which every w * dL/dw is positive."""
    model = nets.net(name, seed, double=True)
    weights = list(prunable(model).values())
    with torch.no_grad():
        for weight in weights:
            weight.abs_()
        weights[-1][true] *= -1
    examples = torch.rand(5, nets.CHANNELS, nets.SIDE, nets.SIDE, dtype=torch.float64, generator=generator(seed))
    return model, [(examples, torch.full((5,), true))]


@pytest.mark.parametrize("name", JOINTS)
@QUICK
@given(seed=SEED)
def test_synflow_is_conserved_at_every_hidden_unit(name: str, seed: int) -> None:
    scores = methods.get("synflow").score(nets.net(name, seed), nets.batches())
    for into, out in flows(scores, name):
        torch.testing.assert_close(into, out, rtol=1e-10, atol=0)


@pytest.mark.parametrize("aggregate", ["abs_of_sum", "sum_of_abs"])
@pytest.mark.parametrize("name", JOINTS)
@QUICK
@given(seed=SEED, true=st.integers(0, nets.CLASSES - 1))
def test_snip_is_conserved_at_every_hidden_unit(aggregate: str, name: str, seed: int, true: int) -> None:
    model, batches = one_signed(name, seed, true)
    scores = methods.get("snip", aggregate=aggregate).score(model, batches)
    for into, out in flows(scores, name):
        assert into.sum() > 0
        torch.testing.assert_close(into, out, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", nets.CHAINS)
@QUICK
@given(seed=SEED)
def test_synflow_gives_every_layer_of_a_chain_the_same_total(name: str, seed: int) -> None:
    totals = [score.sum() for score in methods.get("synflow").score(nets.net(name, seed), nets.batches()).values()]
    output = _all_positive(name, seed)
    for total in totals:
        torch.testing.assert_close(total, output, rtol=1e-10, atol=0)


def _all_positive(name: str, seed: int) -> Tensor:
    """R, the sum of the outputs of the network of absolute values for an input of ones: the total of every layer."""
    model = nets.net(name, seed, double=True)
    with torch.no_grad():
        for weight in model.parameters():
            weight.abs_()
        return model(torch.ones(1, nets.CHANNELS, nets.SIDE, nets.SIDE, dtype=torch.float64)).sum()


@pytest.mark.parametrize("name", nets.CHAINS)
@pytest.mark.parametrize("seed", [0, 1])
def test_synflow_collapses_no_layer_before_the_critical_compression(name: str, seed: int) -> None:
    """Up to a compression of N / L, where every layer of a chain can still keep one weight (Tanaka et al. 2020)."""
    model = nets.net(name, seed)
    weights = prunable(model)
    total = sum(weight.numel() for weight in weights.values())
    method = methods.get("synflow")
    for kept_weights in (len(weights), 2 * len(weights), 20 * len(weights)):
        assert collapsed(method.mask(model, nets.batches(), 1 - kept_weights / total)) == [], (
            f"{kept_weights} of {total} weights are left"
        )


def test_magnitude_does_collapse_a_layer_before_the_critical_compression() -> None:
    """Or else the test above could not fail."""
    model = nets.net("free_perceptron")
    with torch.no_grad():
        next(iter(prunable(model).values())).mul_(0.01)
    assert collapsed(methods.get("magnitude").mask(model, nets.batches(), 0.9)) == ["1.weight"]
    assert collapsed(methods.get("synflow").mask(model, nets.batches(), 0.9)) == []


@QUICK
@given(seed=SEED, factor=st.floats(0.01, 100))
def test_synflow_ranks_alike_when_a_whole_layer_is_rescaled(seed: int, factor: float) -> None:
    """Each score is a sum over paths, and every path passes each layer of a chain once: all scale alike."""
    model = nets.net("free_convolutional", seed)
    before = methods.get("synflow").score(model, nets.batches())
    with torch.no_grad():
        model.get_parameter("3.weight").mul_(factor)
    after = methods.get("synflow").score(model, nets.batches())
    for name, score in before.items():
        torch.testing.assert_close(after[name], factor * score, rtol=1e-5, atol=0)


@QUICK
@given(seed=SEED)
def test_synflow_does_not_see_signs(seed: int) -> None:
    model = nets.net("shortcut", seed)
    before = methods.get("synflow").score(model, nets.batches())
    with torch.no_grad():
        for weight in prunable(model).values():
            weight.mul_(torch.randint(2, weight.shape, generator=generator(seed)) * 2 - 1)
    assert not nets.changed(before, methods.get("synflow").score(model, nets.batches()))


def test_synflow_in_rounds_is_not_synflow_at_once() -> None:
    model = nets.net("free_perceptron")
    once, often = (methods.get("synflow", rounds=rounds).mask(model, nets.batches(), 0.95) for rounds in (1, 100))
    assert nets.changed(once, often)
    by_hand = None
    for removed in methods.get("synflow").ratios(0.95):
        masked = nets.net("free_perceptron")
        with torch.no_grad():
            for name, weight in prunable(masked).items():
                weight.mul_(1 if by_hand is None else by_hand[name])
        by_hand = allocate(methods.get("synflow").score(masked, nets.batches()), removed, alive=by_hand)
    assert by_hand is not None
    assert not nets.changed(by_hand, often)
