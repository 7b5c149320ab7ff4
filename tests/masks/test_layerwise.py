"""Rules that fix the layers' counts: exact in total, and each what its paper says."""

from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import methods
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import layers
from sanity.masks.allocation import ERK, Allocation
from sanity.masks.layerwise import IGQ, NAMES, Balanced, LayerRates, Pyramidal, UniformFirstDense, UniformPlus, get
from sanity.seeds import generator

GOLDEN = load_file(Path(__file__).parents[1] / "methods" / "golden" / "layer_counts.safetensors")
SHAPES = {
    str(number): tuple(shape[: int(dimensions)])
    for number, (shape, dimensions) in enumerate(zip(GOLDEN["shapes"].tolist(), GOLDEN["dimensions"], strict=True))
}
SIZES = {name: prod(shape) for name, shape in SHAPES.items()}
RATIOS = (0.5, 0.8, 0.9, 0.95, 0.98)
RULES = [
    *(UniformPlus(), Balanced(), Pyramidal(), IGQ(), ERK(), ERK(kernel=False), LayerRates(), LayerRates(0.2, 0.75)),
    UniformFirstDense(),
]
FOUR = {"stem": (10, 1, 1, 1), "a": (10, 10, 1, 1), "b": (20, 10, 1, 1), "fc": (4, 20)}  # 10, 100, 200, 80 weights


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("rule", ["erk", "er"])
def test_erdos_renyi_is_that_of_rigl(rule: str, ratio: float) -> None:
    """RigL rounds the zeros down, of each layer and before it shares them out: up to two weights more in each."""
    theirs, allocation = GOLDEN[f"{rule}/kept@{ratio}"], get(rule)
    assert allocation is not None
    ours = torch.tensor(list(allocation.counts(SHAPES, ratio).values()))
    assert ((theirs >= ours) & (theirs - ours <= 2)).all()


@pytest.mark.parametrize("ratio", RATIOS)
def test_uniform_first_dense_is_that_of_rigl_but_for_the_first_layer(ratio: float) -> None:
    """RigL keeps the first layer whole beside the budget; here the others pay for it, all alike."""
    theirs = [1 - sparsity for sparsity in GOLDEN[f"uniform_first_dense/sparsity@{ratio}"].tolist()]
    counts = list(UniformFirstDense().counts(SHAPES, ratio).values())
    first, *others = SIZES.values()
    assert (counts[0], theirs[0]) == (first, 1.0)
    exact = (round((1 - ratio) * sum(SIZES.values())) - first) / sum(others)
    assert theirs[1:] == pytest.approx([1 - ratio] * len(others), abs=1e-12)
    assert all(abs(kept - exact * size) < 1 for kept, size in zip(counts[1:], others, strict=True))
    kept_by_them = GOLDEN[f"uniform_first_dense/kept@{ratio}"].tolist()
    assert sum(kept_by_them) - sum(counts) == pytest.approx(ratio * first, abs=len(SIZES))


def test_uniform_first_dense_by_hand() -> None:
    assert UniformFirstDense().counts(FOUR, 0.5) == {"stem": 10, "a": 49, "b": 97, "fc": 39}
    with pytest.raises(UserError, match=r"uniform_first_dense keeps layer stem whole, more than the budget of 4 "):
        UniformFirstDense().counts(FOUR, 0.99)


@pytest.mark.parametrize("ratio", [0.9, 0.95, 0.98])
def test_uniform_plus_has_the_published_densities_but_for_their_divisor(ratio: float) -> None:
    """The published code divides what is left for the middle layers by the size of all layers, first and last too."""
    theirs = GOLDEN[f"uniform_plus/density@{ratio}"].tolist()
    ours = [kept / SIZES[name] for name, kept in UniformPlus().counts(SHAPES, ratio).items()]
    total, body = sum(SIZES.values()), sum(list(SIZES.values())[1:-1])
    assert (ours[0], ours[-1]) == (theirs[0], pytest.approx(theirs[-1]))
    assert ours[1:-1] == pytest.approx([density * total / body for density in theirs[1:-1]], abs=2e-4)


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(ratio=st.floats(0.001, 0.85))
def test_the_total_is_exact_and_no_layer_overflows(rule: Allocation, ratio: float) -> None:
    counts = rule.counts(FOUR, ratio)
    assert sum(counts.values()) == round((1 - ratio) * 390)
    assert all(0 <= counts[name] <= prod(shape) for name, shape in FOUR.items())


def test_uniform_plus_by_hand() -> None:
    """The stem's 10 whole; half: 185 of 380 alike; a tenth: 16 of 80 in the last, 13 left for 300."""
    assert UniformPlus().counts(FOUR, 0.5) == {"stem": 10, "a": 49, "b": 97, "fc": 39}
    assert UniformPlus().counts(FOUR, 0.9) == {"stem": 10, "a": 4, "b": 9, "fc": 16}
    with pytest.raises(UserError, match=r"uniform_plus keeps layer stem whole and 0\.2 of fc, more than .* 20 weights"):
        UniformPlus().counts(FOUR, 0.95)


def test_uniform_plus_of_one_or_two_layers() -> None:
    assert UniformPlus().counts({"fc": (10, 10)}, 0.5) == {"fc": 50}
    assert UniformPlus().counts({"a": (10, 1), "fc": (10, 9)}, 0.5) == {"a": 10, "fc": 40}


def test_balanced_by_hand() -> None:
    assert Balanced().counts(FOUR, 0.9) == {"stem": 10, "a": 10, "b": 10, "fc": 9}
    assert Balanced().counts(FOUR, 0.5) == {"stem": 10, "a": 62, "b": 62, "fc": 61}


def test_pyramidal_by_hand() -> None:
    """Of equal layers of 64: p = 1/2 keeps 32, 16, 8, of 192 in all 56."""
    assert Pyramidal().counts(dict.fromkeys("abc", (8, 8)), 1 - 56 / 192) == {"a": 32, "b": 16, "c": 8}


def test_ideal_gas_quotas_by_hand() -> None:
    """F = 1/100: densities 1/2 of 100 and 1/5 of 400, 50 + 80 of 500."""
    assert IGQ().counts({"a": (10, 10), "b": (20, 20)}, 1 - 130 / 500) == {"a": 50, "b": 80}


LENET = {"a": (300, 784), "b": (100, 300), "c": (10, 100)}


@pytest.mark.parametrize("rounds", [1, 2, 7, 15, 25])
def test_layer_rates_are_a_power_of_the_rounds_and_the_last_layer_loses_half_as_much_in_each(rounds: int) -> None:
    """Frankle and Carbin 2019 on LeNet-300-100: 19.9624, 35.9361 ... 96.4174 ... 99.5967 % of all weights are gone."""
    wanted = {"a": 235_200 * 0.8**rounds, "b": 30_000 * 0.8**rounds, "c": 1000 * 0.9**rounds}
    counts = LayerRates(0.2).counts(LENET, 1 - sum(wanted.values()) / 266_200)
    assert counts == {name: pytest.approx(kept, abs=1) for name, kept in wanted.items()}


def test_layer_rates_of_one_round_remove_half_the_share_of_the_last_layer() -> None:
    """Their one-shot tickets at 97.3169 %: 97.5 % of the hidden layers and 48.75 % of the last."""
    assert LayerRates().counts(LENET, 0.973169) == {"a": 5880, "b": 750, "c": 512}
    with pytest.raises(UserError, match=r"layer_rates: one round .* cannot reach ratio=0\.999; set removed_per_round"):
        LayerRates().counts(LENET, 0.999)


def test_layer_rates_of_convolutions_are_a_multiple_of_those_of_linear_layers() -> None:
    shapes = {"conv": (100, 10, 10, 10), "fc": (100, 1000), "out": (10, 100)}  # 100,000 weights, as many, 1000
    counts = LayerRates(0.2, 0.75).counts(shapes, 1 - (85_000 + 80_000 + 900) / 201_000)
    assert counts == {"conv": 85_000, "fc": 80_000, "out": 900}


def test_a_method_passes_its_rate_on_to_the_layers() -> None:
    method = methods.get("magnitude", allocation="layer_rates", removed_per_round=0.2, convolution_rate=0.75)
    assert method.rule() == LayerRates(0.2, 0.75)


def test_rounds_without_the_share_that_each_removes_are_refused_not_taken_for_one() -> None:
    net = nets.net("perceptron")
    with pytest.raises(UserError, match=r"allocation=layer_rates with rounds=5: .*; set removed_per_round"):
        methods.get("magnitude", allocation="layer_rates", rounds=5).check_feasible(net, 0.8)
    methods.get("magnitude", allocation="layer_rates", rounds=5, removed_per_round=0.2).check_feasible(net, 0.8)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"global", "smart_ratio"}))
def test_an_allocation_is_an_option_of_every_method(name: str) -> None:
    model, rule = nets.net("shortcut"), get(name)
    assert rule is not None
    for method in ("random", "magnitude", "snip"):
        mask = methods.get(method, allocation=name).mask(model, nets.batches(), 0.8, generator(0))
        wanted = rule.counts({key: layer.shape for key, layer in mask.items()}, 0.8)
        assert {key: layer["kept"] for key, layer in layers(mask).items()} == wanted
