"""NPB's masks are the best by its own measure, checked against every other choice, and keep units and paths."""

import math
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import methods
from methods.balance import Balance, Kernels, filled_up
from methods.npb import places_seen
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import kept, layers, prunable
from sanity.masks.allocation import ERK
from sanity.run import run
from sanity.seeds import generator


def worth(counts: Tensor, paths: Tensor, most: int, alpha: float, beta: float) -> float:
    """The objective of a choice of `counts` (outputs, inputs), term by term."""
    keep = int(counts.sum())
    units = (counts.sum(0) > 0).sum() + (counts.sum(1) > 0).sum()
    best = paths.repeat(len(counts) * most).sort(descending=True).values[:keep].sum()
    kernels = (counts > 0).sum() / keep if most > 1 else 0
    return float(alpha * units / sum(counts.shape) + (1 - alpha) * (counts * paths).sum() / best + beta * kernels)


@pytest.mark.parametrize("keep", [1, 3, 5, 8])
@pytest.mark.parametrize(("alpha", "beta"), [(0.01, 1.0), (0.5, 0.1), (0.9, 0.0), (0.0, 0.0)])
@pytest.mark.parametrize("area", [1, 2])
def test_no_other_choice_is_worth_more(keep: int, alpha: float, beta: float, area: int) -> None:
    paths = torch.tensor([3.0, 0.0, 7.0], dtype=torch.float64)
    if keep > 6 * area:
        return
    kernels = Kernels.of((2, 3, area), 1, paths)
    mask = Balance(alpha, beta, area, 60).mask("layer", kernels, keep, 32, generator(0)).view(2, 3, area)
    assert int(mask.sum()) == keep
    choices = (torch.tensor(choice).view(2, 3) for choice in product(range(area + 1), repeat=6) if sum(choice) == keep)
    best = max(worth(choice, paths, area, alpha, beta) for choice in choices)
    assert worth(mask.sum(2), paths, area, alpha, beta) == pytest.approx(best, abs=2e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_units_alone_are_matched_as_far_as_weights_go(inputs: int, outputs: int, data: st.DataObject) -> None:
    """n weights join at most 2 n units, and beyond the smaller side one more each."""
    keep = data.draw(st.integers(1, inputs * outputs))
    kernels = Kernels.of((outputs, inputs), 1, torch.ones(inputs))
    mask = Balance(1.0, 0.0, 1, 60).mask("layer", kernels, keep, 32, generator(keep)).view(outputs, inputs)
    small, large = sorted((inputs, outputs))
    joined = int(mask.any(0).sum() + mask.any(1).sum())
    assert joined == min(keep, small) + min(keep, large)


def test_layers_keep_the_counts_of_erk_and_chance_decides_among_equals() -> None:
    model = nets.net("convolutional")
    masks = [methods.get("npb").mask(model, nets.batches(), 0.8, generator(seed)) for seed in (0, 0, 1)]
    shapes = {name: tuple(weight.shape) for name, weight in prunable(model).items()}
    assert {name: layer["kept"] for name, layer in layers(masks[0]).items()} == ERK().counts(shapes, 0.8)
    assert not nets.changed(masks[0], masks[1])
    assert nets.changed(masks[0], masks[2])


def test_layers_keep_what_the_rule_says_and_without_one_what_erk_says() -> None:
    of_rule = {
        name: methods.get("npb", allocation=name).mask(nets.net("convolutional"), nets.batches(), 0.8, generator(0))
        for name in ("erk", "global", "uniform")
    }
    assert not nets.changed(of_rule["erk"], of_rule["global"])
    assert layers(of_rule["erk"]) != layers(of_rule["uniform"])
    assert methods.get("npb").allocation == "erk", "which is what its help shows"


def test_paths_alone_follow_the_masks_before() -> None:
    """Without worth of units, a layer reads the units that most kept weights lead to."""
    model = nets.net("perceptron")
    mask = methods.get("npb", alpha=0).mask(model, nets.batches(), 0.6, generator(0))
    into = mask["1.weight"].sum(1)
    columns = mask["3.weight"].sum(0)
    best = into.repeat_interleave(len(mask["3.weight"])).sort(descending=True).values[: int(columns.sum())].sum()
    assert int((columns * into).sum()) == int(best)
    assert into.unique().numel() > 1, "paths that are all alike prove nothing"


def paths(model: nn.Module, mask: dict[str, Tensor]) -> float:
    """The number of paths through a network of convolutions and linear layers without biases."""
    with torch.no_grad():
        for name, weight in prunable(model).items():
            weight.copy_(mask[name])
    return float(model(torch.ones(1, nets.CHANNELS, nets.SIDE, nets.SIDE, dtype=torch.float64)).detach().sum())


@pytest.mark.parametrize("name", ["free_convolutional", "free_shortcut"])
def test_more_paths_remain_than_at_random_positions(name: str) -> None:
    model = nets.net(name, double=True)
    balanced = methods.get("npb").mask(model, nets.batches(), 0.9, generator(0))
    at_random = [methods.get("random", allocation="erk").mask(model, nets.batches(), 0.9, generator(i)) for i in (0, 1)]
    assert all(kept(balanced) == kept(mask) for mask in at_random)
    assert paths(model, balanced) > 2 * max(paths(model, mask) for mask in at_random) > 0


def test_weights_on_no_path_move_into_the_fullest_kernel_on_one() -> None:
    mask = torch.zeros(2, 2, 4, dtype=torch.bool)
    mask[0, 0, :3] = mask[0, 1, :1] = mask[1, 1, :3] = True
    live = mask.clone()
    live[1] = False
    settled = filled_up(mask, live, generator(0))
    assert settled[0, 0].all()
    assert int(settled[0, 1].sum()) == 3
    assert not settled[1].any()


def test_what_finds_no_room_stays() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    live = torch.tensor([[True, False], [False, False]])
    assert torch.equal(filled_up(mask, live, generator(0)), mask)


def test_a_kernel_that_is_on_a_path_at_one_place_only_keeps_the_budget() -> None:
    """There is less room in kernels on a path than is wanted."""
    mask = torch.tensor([[[True, True, False]], [[True, True, True]]])
    live = torch.tensor([[[True, False, False]], [[False, False, False]]])
    settled = filled_up(mask, live, generator(0))
    assert settled[0].all()
    assert int(settled.sum()) == int(mask.sum())


def test_places_that_only_meet_padding_are_not_filled() -> None:
    mask = torch.tensor([[[False, True, False], [False, False, False]], [[True, False, False], [False, True, False]]])
    live = torch.tensor([[[False, True, False], [False, False, False]], [[False, False, False], [False, True, False]]])
    settled = filled_up(mask, live, generator(0), torch.tensor([False, True, False]))
    assert torch.equal(settled, mask), "the kernels on a path have no other place that meets the map"
    assert int(filled_up(mask, live, generator(0))[1, 0].sum()) == 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.one_of(st.integers(0, 2), st.sampled_from(["same", "valid"])),
)
def test_the_places_that_meet_the_map_are_those_whose_weights_have_a_gradient(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, dilation: int, padding: int | str
) -> None:
    layer = nn.Conv2d(1, 1, kernel, 1 if padding == "same" else stride, padding, dilation, bias=False)
    try:
        layer(torch.ones(1, 1, *size)).sum().backward()
    except RuntimeError:  # the kernel is larger than the map
        return
    assert layer.weight.grad is not None
    assert torch.equal(places_seen(layer, size), (layer.weight.grad > 0).flatten())


def test_on_maps_of_one_pixel_no_weight_is_spent_on_padding() -> None:
    """At most the centres of the 3x3 kernels carry anything: what fits there is kept there."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, stride=3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
        *(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 4)),
    )
    for ratio in (0.95, 0.9):
        mask = methods.get("npb").mask(model, nets.batches(), ratio, generator(0))
        assert kept(mask) == round((1 - ratio) * sum(weight.numel() for weight in prunable(model).values()))
        centres = mask["3.weight"][:, :, 1, 1]
        assert int(mask["3.weight"].sum()) == int(centres.sum()) > 0
    mask = methods.get("npb").mask(model, nets.batches(), 0.3, generator(0))
    assert mask["3.weight"][:, :, 1, 1].all(), "more are to be kept than there are centres"


def test_depthwise_layers_and_chunks_keep_their_budget() -> None:
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 300, 1)),
        *(nn.Flatten(), nn.Linear(1200, 4)),
    )
    mask = methods.get("npb", chunk=10).mask(model, nets.batches(), 0.9, generator(0))
    assert kept(mask) == round(0.1 * sum(weight.numel() for weight in prunable(model).values()))
    channels, weights = mask["2.weight"].flatten(1).any(1), mask["2.weight"]
    assert int(channels.sum()) == min(8, int(weights.sum())), "each is the only way of its channel"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.ConvTranspose2d(3, 4, 3), nn.Flatten(), nn.Linear(256, 4)), r"npb: '0.weight' is of a Conv"),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(108, 90))), r"npb: '1.0.weight' was not solved within"),
    ],
)
def test_what_it_cannot_solve_is_one_line(model: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        methods.get("npb", time_limit=1e-9).mask(model, nets.batches(), 0.5)


def test_the_record_holds_the_time_limit_and_what_the_slowest_problem_took(tmp_path: Path) -> None:
    keys = {
        "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 200, "dataset.test_limit": 100, "ratio": 0.99,
        "seeds": 0, "device": "cpu", "checks": "none", "methods": "npb,random", "npb.time_limit": 300,
        "results_dir": str(tmp_path),
    }  # fmt: skip
    rows = {row["method"]: row for row in run(keys).to_dict("records")}
    solved = rows["npb[time_limit=300]"]["solver"]
    chunks = [math.ceil(size / 32) for size in (300, 100)]  # the last layer is small enough to be one problem
    assert (solved["problems"], solved["time_limit_s"], solved["reached"]) == (sum(chunks) + 1, 300, False)
    assert 0 < solved["slowest_s"] < 300
    assert not isinstance(rows["random"]["solver"], dict)
