"""Layer counts whose shares can be worked out in one's head."""

from itertools import pairwise
from math import prod

import pytest

from sanity.errors import UserError
from sanity.masks.allocation import ERK, Counts, SmartRatio, Uniform, kept_after
from sanity.masks.layerwise import get

# Two convolutions of 100 weights each and a classifier of 100.
THREE = {"conv1": (10, 10, 1, 1), "conv2": (10, 10, 1, 1), "fc": (10, 10)}


def test_uniform_shares_by_size_and_rounds_the_largest_remainder_up() -> None:
    assert Uniform().counts(THREE, 0.5) == {"conv1": 50, "conv2": 50, "fc": 50}
    assert Uniform().counts({"a": (1, 3), "b": (1, 3), "c": (1, 4)}, 0.5) == {"a": 2, "b": 1, "c": 2}


def test_erk_shares_by_the_sum_of_dimensions() -> None:
    """Sums of dimensions 10 and 20 share 30 weights as 10 and 20: densities 10/25 and 20/100."""
    assert ERK().counts({"a": (5, 5), "b": (10, 10)}, 1 - 30 / 125) == {"a": 10, "b": 20}


def test_erk_counts_the_sides_of_the_kernel() -> None:
    assert ERK().counts({"a": (4, 4, 3, 3), "b": (10, 4)}, 1 - 28 / 184) == {"a": 14, "b": 14}


def test_erk_fills_small_layers_and_shares_the_rest_anew() -> None:
    """`a` has room for 2 of its share; the other 48 go to `b` and `c` alike."""
    assert ERK().counts({"a": (1, 2), "b": (10, 10), "c": (10, 10)}, 1 - 50 / 202) == {"a": 2, "b": 24, "c": 24}


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        # half of 300 are kept; the classifier keeps 30; 120 are shared by the two convolutions (l = 1, 2 of L = 3)
        ({"decay": "balanced"}, (60, 60)),
        ({"decay": "linear", "plain": False}, (72, 48)),  # 3 : 2
        ({"decay": "quadratic", "plain": False}, (80, 40)),  # 12 : 6
        ({"decay": "cubic", "plain": False}, (92, 27)),  # 27 : 8, each truncated
        ({"decay": "ascending", "plain": False}, (30, 90)),  # 2 : 6
        ({"decay": "quadratic", "plain": False, "layer_count": "nominal"}, (90, 30)),  # L = 2: 6 : 2
        ({"decay": "quadratic", "plain": True}, (100, 19)),  # 12 : 6/4 is 106.67 : 13.33; 6 whole ones flow over
        ({"decay": "quadratic"}, (100, 19)),  # a chain of convolutions is plain
    ],
    ids=str,
)
def test_smart_ratio(options: dict[str, object], counts: tuple[int, int]) -> None:
    kept = SmartRatio(**options).counts(THREE, 0.5)  # type: ignore[arg-type]
    assert kept["fc"] == 30
    assert (kept["conv1"], kept["conv2"]) == counts


def test_smart_ratio_counts_a_chain_as_if_it_still_had_three_linear_layers() -> None:
    """40 % of 300 are 120, less 30 for the classifier: 8 : 1 where L is 3, and 30 : 20/4 where it is 5."""
    assert SmartRatio().counts(THREE, 0.6) == {"conv1": 80, "conv2": 10, "fc": 30}
    assert SmartRatio(layer_count="nominal").counts(THREE, 0.6) == {"conv1": 77, "conv2": 12, "fc": 30}


def test_smart_ratios_surplus_flows_into_the_next_layers() -> None:
    """4 : 3 : 2 of 180 is 80, 60, 40. The first has 16 too many, the second room for 4 of them, the third for all."""
    shapes = {"a": (64, 1, 1, 1), "b": (64, 1, 1, 1), "c": (64, 1, 1, 1), "fc": (1, 64)}
    kept = SmartRatio(decay="linear", linear_keep=0.0, plain=False).counts(shapes, 1 - 180 / 256)
    assert kept == {"a": 64, "b": 64, "c": 52, "fc": 0}


def test_smart_ratios_linear_keep_is_of_the_classifier_alone() -> None:
    assert SmartRatio(linear_keep=0.6).counts(THREE, 0.5)["fc"] == 60
    assert sum(SmartRatio(linear_keep=0.6).counts(THREE, 0.5).values()) == pytest.approx(150, abs=1)


def test_smart_ratio_without_a_classifier_shares_among_convolutions() -> None:
    kept = SmartRatio(decay="balanced").counts({"a": (10, 10, 1, 1), "b": (10, 10, 1, 1)}, 0.5)
    assert kept == {"a": 50, "b": 50}


def test_smart_ratio_beside_a_shortcut_is_not_plain() -> None:
    """The 1x1 shortcut reads what the first convolution wrote, not what the one before it did."""
    block = {"stem": (8, 3, 3, 3), "a": (16, 8, 3, 3), "b": (16, 16, 3, 3), "shortcut": (16, 8, 1, 1), "fc": (4, 16)}
    assert SmartRatio().counts(block, 0.5) == SmartRatio(plain=False).counts(block, 0.5)
    chain = {name: shape for name, shape in block.items() if name != "shortcut"}
    assert SmartRatio().counts(chain, 0.5) == SmartRatio(plain=True).counts(chain, 0.5)
    assert SmartRatio().counts(chain, 0.5) != SmartRatio(plain=False).counts(chain, 0.5)


def test_smart_ratio_that_the_classifier_alone_exceeds_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"ratio=0\.95.*smart_ratio keeps 30 weights of fc alone, more than .* 15"):
        SmartRatio().counts(THREE, 0.95)


def test_names() -> None:
    assert get("global") is None
    assert isinstance(get("erk"), ERK)
    with pytest.raises(UserError, match=r"unknown allocation 'smart'\. .*Allowed: balanced, er, erk, from:METH"):
        get("smart")


@pytest.mark.parametrize(
    ("counts", "kept"),
    [("rounded", 67), ("kept_floored", 66), ("removed_floored", 67), ("one_more_removed", 65)],
)
def test_a_papers_code_counts_in_its_own_way(counts: Counts, kept: int) -> None:
    """A density of 0.6667 of 100 weights: 66.67 are kept, 33.33 go."""
    assert kept_after(counts, 100, 0.3333, 100) == kept


def test_one_more_goes_in_every_round() -> None:
    """Half of the remaining weights and one more: 100, 49, then ceil(24.5) + 1 of 49 go."""
    assert kept_after("one_more_removed", 100, 0.5, 100) == 49
    assert kept_after("one_more_removed", 100, 0.75, 49, 0.5) == 49 - 25 - 1
    with pytest.raises(UserError, match=r"ratio=0\.99: counts=one_more_removed leaves none of the 100"):
        kept_after("one_more_removed", 100, 0.99, 100)


@pytest.mark.parametrize("ratio", [1e-10, 1e-6])
def test_a_ratio_that_keeps_every_weight_fills_every_layer(ratio: float) -> None:
    shapes = {"a": (7, 3, 7, 8, 1), "b": (8, 6, 5, 7), "c": (7, 2, 7, 8, 5), "d": (1, 7), "e": (8, 8, 7, 6)}
    whole = {name: prod(shape) for name, shape in shapes.items()}
    assert ERK().counts(shapes, ratio) == whole
    assert Uniform().counts(shapes, ratio) == whole


def test_shares_that_rounding_lifts_to_the_next_whole_number_still_sum_to_the_budget() -> None:
    """Beyond 2^53 a float64 has no halves: two shares of 2^53 + 0.5 would be 2^53 each, and 3/4 become one too many."""
    sizes = {"a": 2**54 + 1, "b": 2**54 + 1, "c": 2**54 + 1}
    shapes = {name: (size, 1) for name, size in sizes.items()}
    for ratio in (0.25, 0.5, 0.75):
        assert sum(Uniform().counts(shapes, ratio).values()) == round((1 - ratio) * sum(sizes.values()))


def test_smart_ratio_of_one_layer_that_depth_leaves_nothing_is_a_mistake() -> None:
    with pytest.raises(UserError, match="smart_ratio: the layers are too small or too few to share by depth"):
        SmartRatio(layer_count="nominal", plain=False).counts({"a": (4, 4, 1, 1)}, 0.5)


def vgg19(classes: int) -> dict[str, tuple[int, ...]]:
    widths = [3, 64, 64, 128, 128, *[256] * 4, *[512] * 8]
    convolutions = {f"{i}.weight": (out, channels, 3, 3) for i, (channels, out) in enumerate(pairwise(widths))}
    return {**convolutions, "classifier.weight": (classes, 512)}


@pytest.mark.parametrize(("classes", "kept"), [(10, (2002379, 400469, 100114)), (100, (2006853, 401363, 100337))])
def test_smart_ratio_normalised_over_all_layers_keeps_what_the_code_of_atanov_keeps(
    classes: int, kept: tuple[int, ...]
) -> None:
    rule = SmartRatio(layer_count="nominal", normaliser="all")
    for ratio, count in zip((0.9, 0.98, 0.995), kept, strict=True):
        assert sum(rule.counts(vgg19(classes), ratio).values()) == count


def test_smart_ratio_normalised_over_all_layers_by_hand() -> None:
    """Half of 300 less 30 is 120; 12, 6/4 and 2/9 share them as 104.9, 13.1 and 1.9; 4.9 flow over to the second."""
    assert SmartRatio(normaliser="all").counts(THREE, 0.5) == {"conv1": 100, "conv2": 18, "fc": 30}
    assert SmartRatio(normaliser="all", decay="balanced").counts(THREE, 0.5) == {"conv1": 40, "conv2": 40, "fc": 30}
