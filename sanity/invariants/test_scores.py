"""Every method: its scores fit the weights, depend on nothing but what they may, and leave no trace."""

import copy
import random
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from methods.base import Batches, Method
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks.channels import Channels
from sanity.seeds import generator

MOST = {"rounds": 3, "draws": 2, "epochs": 4}
"""How long a search needs to be: no proof about masks depends on more of it, and these networks have few weights."""


def few_rounds(method: Method, **options: Any) -> Method:
    """The method in at most three rounds, enough to see what rounds do to each other, and with few draws and epochs."""
    if method.constructs and options.get("allocation", "global") != "global":
        pytest.skip("the method constructs its mask, and so decides how many weights each layer keeps")
    counts = {name: min(value, most) for name, most in MOST.items() if (value := getattr(method, name, None))}
    return replace(method, **{"removed_per_round": None, **counts, **options})


def rebuilt(cls: type[Method], method: Method) -> Method:
    """An instance of `cls`, a subclass of the method's class, with the method's options."""
    if method.constructs:
        pytest.skip("the method constructs its mask and has no score")
    return cls(**{field.name: getattr(method, field.name) for field in fields(method) if field.init})


@pytest.mark.parametrize("name", nets.NETS)
def test_every_weight_has_one_finite_score(preset: Method, name: str) -> None:
    model = nets.net(name)
    scores = preset.score(model, nets.batches())
    weights = preset.targets(model)
    assert list(scores) == list(weights), "scores must be keyed like the weights, in their order"
    for key, weight in weights.items():
        assert isinstance(scores[key], Tensor), f"the score of {key} is no tensor"
        assert scores[key].shape == weight.shape, (
            f"{key}: score {tuple(scores[key].shape)}, weight {tuple(weight.shape)}"
        )
        assert scores[key].is_floating_point(), f"{key}: scores are {scores[key].dtype}"
        assert scores[key].isfinite().all(), f"{key}: scores are not finite"
        assert not scores[key].requires_grad, f"{key}: the score still hangs on its graph"


def test_scores_tell_weights_apart(preset: Method) -> None:
    scores = preset.score(nets.net("batch_norm"), nets.batches())
    if isinstance(pattern := preset.kept_together(nets.net("batch_norm")), Channels):
        scores = {names[0]: pattern.reduce(scores[names[0]]) for names in pattern.spaces}
    values = torch.cat([score.flatten().double() for score in scores.values()])
    assert len(values.unique()) > 0.5 * len(values), "more than half of the scores are tied: then position decides"


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_one_generator_gives_one_score_whatever_the_global_randomness(preset: Method, name: str) -> None:
    differing = _differing_under_global_seeds(
        lambda: preset.score(nets.net(name), nets.batches(), generator(7, "score"))
    )
    assert not differing, f"the scores of {differing} depend on a global random generator; draw from `generator`"


def test_one_generator_gives_one_mask_whatever_the_global_randomness(method: Method) -> None:
    planned, model = few_rounds(method, allocation="global"), nets.net("shortcut")
    differing = _differing_under_global_seeds(lambda: planned.mask(model, nets.batches(), 0.5, generator(7, "score")))
    assert not differing, f"two masks of one seed differ in {differing}: the method is not deterministic"


def _differing_under_global_seeds(make: Callable[[], dict[str, Tensor]]) -> list[str]:
    """Returns the layers in which two calls differ, each with other seeds of the global generators."""

    def run(seed: int) -> dict[str, Tensor]:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return make()

    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        return nets.changed(run(1), run(2))
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
@pytest.mark.parametrize("call", ["score", "mask"])
def test_model_batches_and_global_randomness_are_left_as_they_were(preset: Method, name: str, call: str) -> None:
    model, batches = nets.unusual(nets.net(name)), nets.batches()
    seen = [(x.clone(), y.clone()) for x, y in batches]
    before, drawn = nets.snapshot(model), nets.random_state()
    if call == "score":
        preset.score(model, batches, generator(0))
    else:
        few_rounds(preset, allocation="global").mask(model, batches, 0.5, generator(0))
    assert not (changes := nets.changed(before, nets.snapshot(model))), f"{call} changed the model: {changes}"
    assert not (changes := nets.changed(drawn, nets.random_state())), (
        f"{call} drew from the global generator of {changes}"
    )
    for (x, y), (old_x, old_y) in zip(batches, seen, strict=True):
        assert torch.equal(x, old_x), f"{call} changed the batches in place"
        assert torch.equal(y, old_y), f"{call} changed the targets in place"


@pytest.mark.parametrize("call", ["score", "mask"])
def test_nothing_is_left_behind_by_a_score_that_raises(method: Method, call: str) -> None:
    class Failing(type(method)):  # type: ignore[misc]
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            super().saliency(net, batches, generator)
            random.random()
            np.random.rand()
            torch.rand(1)
            net.train()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.add_(1)
            raise ArithmeticError("on purpose")

    failing = rebuilt(Failing, method)
    model = nets.unusual(nets.net("shortcut"))
    before, drawn, gradients = nets.snapshot(model), nets.random_state(), torch.is_grad_enabled()
    with pytest.raises(ArithmeticError, match="on purpose"):
        failing.score(model, nets.batches()) if call == "score" else failing.mask(model, nets.batches(), 0.5)
    assert not (changes := nets.changed(before, nets.snapshot(model))), f"a failing {call} changed the model: {changes}"
    assert not (changes := nets.changed(drawn, nets.random_state())), (
        f"a failing {call} changed the generator of {changes}"
    )
    assert torch.is_grad_enabled() == gradients


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_the_mode_that_the_model_is_in_does_not_matter(preset: Method, name: str) -> None:
    """A network fresh from training would be scored under dropout, and evaluated otherwise."""
    training, evaluating = (
        preset.score(nets.net(name).train(mode), nets.batches(), generator(0)) for mode in (True, False)
    )
    differing = nets.changed(training, evaluating)
    assert not differing, f"the scores of {differing} depend on the mode of the model"


def test_saliency_leaves_the_weights_of_its_copy_alone(preset: Method) -> None:
    copied = nets.net("shortcut", double=preset.double)
    for parameter in copied.parameters():
        parameter.requires_grad_(True)
    preset.prepare(copied, generator(0, "prepare"))
    before = {name: weight.detach().clone() for name, weight in copied.named_parameters()}
    preset.saliency(copied, nets.batches(double=preset.double), generator(0))
    after = {name: weight.detach() for name, weight in copied.named_parameters()}
    assert not (changes := nets.changed(before, after)), (
        f"saliency changed the weights {changes}, which the next round scores"
    )


def test_precision_of_the_model_is_kept_or_raised(preset: Method) -> None:
    model = nets.net("batch_norm")
    single = preset.score(model, nets.batches())
    double = preset.score(copy.deepcopy(model).double(), nets.batches(double=True))
    largest = max(float(score.abs().max()) for score in double.values())
    for name, score in double.items():
        assert score.dtype == torch.float64, f"{name}: a float64 network is scored in {score.dtype}"
        if preset.double:
            assert single[name].dtype == torch.float64, f"{name}: double=True, but scored in {single[name].dtype}"
        scale = float(score.abs().max()) or 1.0
        if scale <= 1e-12 * largest:  # zero but for rounding, as for a bias that batch statistics subtract again
            assert float(single[name].abs().max()) <= 1e-6 * largest, f"{name}: zero in float64, but not in float32"
            continue
        assert torch.allclose(single[name].double() / scale, score / scale, rtol=1e-3, atol=1e-4), (
            f"{name}: scores in float32 and in float64 differ by more than rounding"
        )


def test_without_need_of_data_the_data_do_not_matter(preset: Method) -> None:
    if preset.needs_data:
        pytest.skip("the method says that it needs data")
    model = nets.net("shortcut")
    first_batches = nets.batches(nets.dataset(seed=1))
    second_batches = nets.batches(nets.dataset(seed=2), size=4, count=1)
    first, second = preset.score(model, first_batches, generator(0)), preset.score(model, second_batches, generator(0))
    assert not (changes := nets.changed(first, second)), (
        f"needs_data is False, but the scores of {changes} depend on the data"
    )


def test_inverted_scores_are_the_negative(preset: Method) -> None:
    model = nets.net("convolutional")
    upright = preset.score(model, nets.batches(), generator(0))
    inverted = replace(preset, invert=not preset.invert).score(model, nets.batches(), generator(0))
    within = [name for name in upright if upright[name].dim() == 4]
    for name in within:
        assert torch.equal(inverted[name], -upright[name]), f"{name}: invert must negate the score"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_names_its_parameter(method: Method, bad: float) -> None:
    class Broken(type(method)):  # type: ignore[misc]
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            scores = super().saliency(net, batches, generator)
            last = list(scores)[-1]
            scores[last] = scores[last].detach().clone()
            scores[last].view(-1)[1] = bad
            return scores

    broken = rebuilt(Broken, method)
    with pytest.raises(UserError, match=r"8\.weight"):
        broken.score(nets.net("batch_norm"), nets.batches())


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_memory_is_bounded_without_changing_the_score(preset: Method, mode: str) -> None:
    """Batch statistics tie a batch together: then it is never cut."""
    option_names = {field.name for field in fields(preset)}
    if not {"chunk", "batch_norm"} <= option_names:
        pytest.skip("the method does not read data in chunks")
    for name in ("convolutional", "shortcut"):
        model, batches = nets.net(name, double=True), nets.batches(double=True)
        options: list[dict[str, Any]] = [{"chunk": chunk, "batch_norm": mode} for chunk in (1, 3, 100)]
        scored = [replace(preset, **option).score(model, batches) for option in options]
        for parts in scored[1:]:
            for key, score in scored[0].items():
                scale = float(score.abs().max()) or 1.0
                assert torch.allclose(score / scale, parts[key] / scale, rtol=1e-9, atol=1e-12), f"{key}: chunk matters"
