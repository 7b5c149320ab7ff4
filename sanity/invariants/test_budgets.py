"""Every method: exact counts, nested masks, rounds that never revive, whatever the allocation."""

import math
from dataclasses import replace
from itertools import pairwise
from math import isclose

import pytest
import torch
from torch import Tensor, nn

from methods.base import Batches, Method
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.invariants.test_devices import NO_SCALES
from sanity.invariants.test_scores import few_rounds, rebuilt
from sanity.masks import allocate, counted, layers
from sanity.masks.allocation import SmartRatio, kept_after
from sanity.masks.files.imports import tolerated
from sanity.seeds import generator

RATIOS = (0.013, 0.25, 0.5, 0.9, 0.97)
MANY_TIES = 0.1
"""Ratios below which scores of zero, as of dead units, may tie at the threshold of code that does not break ties."""
ALLOCATIONS = ("global", "uniform", "erk")


def _skip_constructed(method: Method) -> None:
    if method.constructs:
        pytest.skip("the method constructs its mask, and masks of several ratios need not be nested")


def _has(method: Method, model: nn.Module, ratio: float) -> bool:
    """Whether the network has channels enough, and scales where it needs some, for a method that keeps them whole."""
    try:
        method.check_feasible(model, ratio)
    except UserError as error:
        if NO_SCALES in str(error) and not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
            return False
        if f"pattern={method.pattern}" in str(error) and "shared by" not in str(error):
            return False
        raise
    return True


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("schedule", ["exponential", "linear"])
def test_exactly_as_many_weights_are_kept_as_asked(method: Method, allocation: str, schedule: str) -> None:
    planned = few_rounds(method, allocation=allocation, schedule=schedule)
    if planned.rounds == 1 and schedule != "exponential":
        pytest.skip("one round has no schedule: it is that of the other case")
    for name, ratio in zip(("perceptron", "convolutional", "batch_norm", "shortcut", "shortcut"), RATIOS, strict=True):
        if not method.exact_counts and ratio < MANY_TIES:
            continue
        model = nets.net(name)
        if not _has(planned, model, ratio):
            continue
        mask = planned.mask(model, nets.batches(), ratio)
        weights = planned.targets(model)
        assert list(mask) == list(weights)
        assert all(layer.dtype == torch.bool and layer.shape == weights[key].shape for key, layer in mask.items())
        left, total = counted(mask, planned.kept_together(model))
        off, most = left - round((1 - ratio) * total), 0 if method.exact_counts else tolerated(mask)
        assert abs(off) <= most, f"{name} at ratio {ratio}: {left} of {total} are kept"


def test_smart_ratio_keeps_its_published_counts_in_every_layer(method: Method) -> None:
    for rounds in (1, 3):
        planned = replace(few_rounds(method, allocation="smart_ratio"), rounds=rounds)
        model = nets.net("shortcut")
        published = SmartRatio().counts({name: weight.shape for name, weight in planned.targets(model).items()}, 0.9)
        mask = planned.mask(model, nets.batches(), 0.9)
        assert {name: layer["kept"] for name, layer in layers(mask).items()} == published


def test_one_round_keeps_the_highest_scores(preset: Method) -> None:
    once = replace(preset, rounds=1, removed_per_round=None, allocation="global")
    model = nets.net("shortcut")
    mask = once.mask(model, nets.batches(), 0.7, generator(3))
    scores = once.score(model, nets.batches(), generator(3))
    pattern = once.kept_together(model)
    _, total = counted(mask, pattern)
    fewer = 1 - kept_after(once.counts, total, 0.7, total) / total
    assert not nets.changed(mask, allocate(scores, fewer, pattern=pattern))
    if pattern.keeps_units_whole:  # the best channel of every layer stays, whatever its score
        return
    lowest = min(float(score[mask[name]].min()) for name, score in scores.items() if mask[name].any())
    highest = max(float(score[~mask[name]].max()) for name, score in scores.items() if not mask[name].all())
    assert lowest >= highest, "a weight of lower score is kept in place of a higher one"


def test_inverted_it_keeps_the_lowest_scores(preset: Method) -> None:
    once = replace(preset, rounds=1, removed_per_round=None, allocation="global")
    scores = once.score(nets.net("convolutional"), nets.batches(), generator(3))
    mask = replace(once, invert=not once.invert).mask(nets.net("convolutional"), nets.batches(), 0.7, generator(3))
    if once.kept_together(nets.net("convolutional")).keeps_units_whole:
        pytest.skip("a channel of every layer stays, whatever its score")
    convolutions = {name: score for name, score in scores.items() if score.dim() == 4}
    kept_scores = torch.cat([score[mask[name]].flatten() for name, score in convolutions.items()])
    pruned = torch.cat([score[~mask[name]].flatten() for name, score in convolutions.items()])
    assert kept_scores.numel() == 0 or kept_scores.max() <= pruned.min()


def test_one_shot_masks_are_nested_across_ratios(preset: Method) -> None:
    _skip_constructed(preset)
    once = replace(preset, rounds=1, removed_per_round=None, allocation="global")
    model = nets.net("batch_norm")
    ratios = [ratio for ratio in RATIOS if _has(once, model, ratio)]
    masks = [once.mask(model, nets.batches(), ratio, generator(3)) for ratio in ratios]
    for denser, sparser in pairwise(masks):
        assert not any((sparser[name] & ~denser[name]).any() for name in sparser), "a sparser mask keeps other weights"


def test_rounds_only_ever_remove(preset: Method) -> None:
    if preset.revive:
        pytest.skip("the method says that it revives weights")
    _skip_constructed(preset)
    model = nets.net("shortcut")
    rounds = few_rounds(preset, rounds=3, allocation="global")
    steps = rounds.ratios(0.8)
    first = replace(rounds, rounds=1).mask(model, nets.batches(), steps[0], generator(5))
    last = rounds.mask(model, nets.batches(), 0.8, generator(5))
    revived = [name for name in last if (last[name] & ~first[name]).any()]
    assert not revived, f"weights of {revived} that the first round pruned are kept after the last"


@pytest.mark.parametrize("allocation", [*ALLOCATIONS, "smart_ratio"])
def test_a_round_by_itself_keeps_among_the_living(preset: Method, allocation: str) -> None:
    if preset.revive:
        pytest.skip("the method says that it revives weights")
    method = few_rounds(preset, allocation=allocation)
    model = nets.net("batch_norm")
    alive = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in method.targets(model).items()}
    before = 0.0
    for step, ratio in enumerate((0.3, 0.5, 0.52, 0.75)):
        left, total = counted(alive, method.kept_together(model))
        keep = kept_after(method.counts, total, ratio, left, before)
        after = method.prune(model, nets.batches(), ratio, generator(step), alive)
        revived = [name for name in after if (after[name] & ~alive[name]).any()]
        assert not revived, f"round {step} revives weights of {revived}"
        if allocation != "smart_ratio":
            most = 0 if method.exact_counts else tolerated(after)
            left, total = counted(after, method.kept_together(model))
            assert abs(left - keep) <= most, f"round {step} keeps {left}, not {keep}"
        alive, before = after, 1 - left / total


def test_a_later_round_scores_the_network_without_what_is_pruned(preset: Method) -> None:
    model = nets.net("convolutional")
    alive = allocate(
        {name: torch.rand(w.shape, generator=generator(1)) for name, w in preset.targets(model).items()}, 0.5
    )
    seen: list[Tensor] = []

    class Watching(type(preset)):  # type: ignore[misc]
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            seen.extend(weight.detach()[~alive[name]].clone() for name, weight in self.targets(net).items())
            return super().saliency(net, batches, generator)

    rebuilt(Watching, preset).prune(model, nets.batches(), 0.75, generator(0), alive)
    assert seen
    assert all((weights == 0).all() for weights in seen), "weights that are gone still act on the score"


@pytest.mark.parametrize("schedule", ["exponential", "linear"])
@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_rounds_end_at_the_ratio_and_follow_their_schedule(method: Method, schedule: str, rounds: int) -> None:
    steps = few_rounds(method, schedule=schedule, rounds=rounds).ratios(0.9)
    assert len(steps) == rounds
    assert steps[-1] == 0.9
    for number, removed in enumerate(steps, 1):
        density = 0.1 ** (number / rounds) if schedule == "exponential" else 1 - 0.9 * number / rounds
        assert isclose(1 - removed, density, abs_tol=1e-12)


def test_a_fixed_share_of_the_remaining_weights_goes_in_every_round(method: Method) -> None:
    steps = replace(method, removed_per_round=0.2).ratios(1 - 0.8**4)
    assert [round(1 - removed, 9) for removed in steps] == [0.8, 0.64, 0.512, 0.4096]
    assert replace(method, removed_per_round=0.2).ratios(0.5)[-2:] == pytest.approx([1 - 0.8**3, 0.5])


@pytest.mark.parametrize("ratio", [0.0, 1.0, 1.5, -0.1, math.nan, 0.9999999])
@pytest.mark.parametrize("options", [{"rounds": 1}, {"rounds": 3}, {"removed_per_round": 0.2}], ids=str)
def test_a_ratio_that_makes_no_sense_is_the_users_mistake(
    method: Method, ratio: float, options: dict[str, float]
) -> None:
    planned = few_rounds(method, **{"allocation": "global", **options})
    with pytest.raises(UserError, match="ratio="):
        planned.mask(nets.net("perceptron"), nets.batches(), ratio)
