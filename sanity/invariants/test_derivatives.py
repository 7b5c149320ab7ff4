"""SNIP and GraSP are the derivatives that they claim to be: by finite differences and by an explicit Hessian."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

import methods
from sanity.invariants import nets
from sanity.masks import prunable

Loss = Callable[[Tensor], Tensor]
STEP = 1e-6


def losses(model: nn.Module, batches: nets.Batches, mode: str, temperature: float = 1.0) -> tuple[list[Loss], Tensor]:
    """The loss of every batch as a function of all prunable weights in one vector, and that vector."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(mode == "batch")
    weights = {name: weight.detach() for name, weight in prunable(model).items()}
    sizes = [weight.numel() for weight in weights.values()]

    def of(examples: Tensor, targets: Tensor) -> Loss:
        def loss(flat: Tensor) -> Tensor:
            parts = [part.view_as(weight) for part, weight in zip(flat.split(sizes), weights.values(), strict=True)]
            state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            state |= dict(zip(weights, parts, strict=True))
            return F.cross_entropy(functional_call(model, state, (examples,)) / temperature, targets)

        return loss

    return [of(*batch) for batch in batches], torch.cat([weight.flatten() for weight in weights.values()])


def flat(scores: dict[str, Tensor]) -> Tensor:
    return torch.cat([score.flatten() for score in scores.values()])


def every(flat_size: int, count: int = 60) -> list[int]:
    return list(range(0, flat_size, max(flat_size // count, 1)))


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("name", ["convolutional", "batch_norm", "shortcut"])
def test_snip_is_the_slope_of_the_loss_by_a_mask_entry(name: str, mode: str) -> None:
    batches = nets.batches(double=True)
    scores = flat(methods.get("snip", batch_norm=mode).score(nets.net(name, double=True), batches))
    each, weights = losses(nets.net(name, double=True), batches, mode)
    for index in every(len(weights)):
        mask = torch.zeros_like(weights)
        mask[index] = STEP
        slope = sum((loss(weights * (1 + mask)) - loss(weights * (1 - mask))) / (2 * STEP) for loss in each)
        assert scores[index] == pytest.approx(abs(float(slope)), rel=1e-4, abs=1e-8)


def test_snip_by_batch_adds_the_sizes_of_the_slopes() -> None:
    batches = [*nets.batches(double=True, count=1), *nets.batches(nets.dataset(seed=1), size=12, double=True, count=1)]
    model = nets.net("convolutional", double=True)
    apart = [flat(methods.get("snip").score(model, [batch])) for batch in batches]
    together = flat(methods.get("snip", aggregate="sum_of_abs").score(model, batches))
    torch.testing.assert_close(together, 8 * apart[0] + 12 * apart[1], rtol=1e-10, atol=0)
    signed = flat(methods.get("snip").score(model, batches))
    assert (signed <= apart[0] + apart[1] + 1e-12).all()
    assert (signed < 0.9 * (apart[0] + apart[1])).any(), "batches that disagree must cancel"


@pytest.mark.parametrize("mode", ["batch", "running"])
@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_is_the_weight_times_the_hessian_times_the_gradient(mode: str, temperature: float) -> None:
    batches = nets.batches(double=True)
    options: dict[str, Any] = {"batch_norm": mode, "temperature": temperature}
    scores = flat(methods.get("grasp", **options).score(nets.net("batch_norm", double=True), batches))
    each, weights = losses(nets.net("batch_norm", double=True), batches, mode, temperature)
    gradient = sum(torch.func.grad(loss)(weights) for loss in each)
    hessian = sum(torch.autograd.functional.hessian(loss, weights, vectorize=True) for loss in each)
    assert isinstance(gradient, Tensor)
    assert isinstance(hessian, Tensor)
    expected = weights * (hessian @ gradient)
    torch.testing.assert_close(scores, expected, rtol=1e-8, atol=1e-10 * float(expected.abs().max()))
    assert float(scores.sum()) == pytest.approx(float(gradient @ hessian @ weights), rel=1e-8)
    absolute = flat(methods.get("grasp", **options, absolute=True).score(nets.net("batch_norm", double=True), batches))
    assert torch.equal(absolute, scores.abs())


def test_grasp_is_the_change_of_the_squared_gradient_norm() -> None:
    """d/dc of |g(c w)|^2 / 2 by a mask entry c at 1, by finite differences."""
    batches = nets.batches(double=True, count=1)
    scores = flat(methods.get("grasp", temperature=1).score(nets.net("convolutional", double=True), batches))
    (loss,), weights = losses(nets.net("convolutional", double=True), batches, "batch")
    gradient = torch.func.grad(loss)

    def energy(masked: Tensor) -> Tensor:
        return gradient(masked).square().sum() / 2

    for index in every(len(weights), 30):
        mask = torch.zeros_like(weights)
        mask[index] = STEP
        slope = float(energy(weights * (1 + mask)) - energy(weights * (1 - mask))) / (2 * STEP)
        assert float(scores[index]) == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_halves_of_a_batch_are_batches_of_their_own(name: str) -> None:
    """Per batch a mean loss, over batches a sum: one batch given twice doubles SNIP and quadruples GraSP."""
    model, (batch,) = nets.net("batch_norm", double=True), nets.batches(double=True, count=1)
    once, twice = (flat(methods.get(name).score(model, batches)) for batches in ([batch], [batch, batch]))
    factor = 2 if name == "snip" else 4
    torch.testing.assert_close(twice, factor * once, rtol=1e-10, atol=1e-12 * float(twice.abs().max()))


@pytest.mark.parametrize("name", ["snip", "grasp"])
@pytest.mark.parametrize("mode", ["batch", "running"])
def test_the_order_of_examples_within_a_batch_does_not_matter(name: str, mode: str) -> None:
    model, (batch,) = nets.net("shortcut", double=True), nets.batches(double=True, count=1)
    order = torch.tensor([3, 1, 0, 2, 7, 5, 6, 4])
    straight = flat(methods.get(name, batch_norm=mode).score(model, [batch]))
    mixed = flat(methods.get(name, batch_norm=mode).score(model, [(batch[0][order], batch[1][order])]))
    torch.testing.assert_close(mixed, straight, rtol=1e-8, atol=1e-10 * float(straight.abs().max()))


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_labels_matter(name: str) -> None:
    model, (batch,) = nets.net("shortcut"), nets.batches(count=1)
    true = methods.get(name).score(model, [batch])
    false = methods.get(name).score(model, [(batch[0], batch[1].flip(0))])
    assert len(nets.changed(true, false)) == len(true)
