"""The cells that a command line asks for, by their labels."""

import pytest

from sanity.config import from_mapping, parse, table
from sanity.errors import UserError
from sanity.grid.cells import cells


def titles(**given: object) -> list[str]:
    return [cell.title for cell in cells(from_mapping({key.replace("__", "."): value for key, value in given.items()}))]


def test_the_control_is_always_there_and_comes_first() -> None:
    assert titles(methods="snip", checks="reinit", ratio="0.9,0.98", seeds="0,1") == [
        "snip 90 % none seed 0",
        "snip 90 % reinit seed 0",
        "snip 98 % none seed 0",
        "snip 98 % reinit seed 0",
        "snip 90 % none seed 1",
        "snip 90 % reinit seed 1",
        "snip 98 % none seed 1",
        "snip 98 % reinit seed 1",
    ]
    assert titles(methods="snip", checks="none,reinit", seeds="0") == titles(methods="snip", checks="reinit", seeds="0")


def test_the_dense_network_has_neither_ratio_nor_check() -> None:
    assert titles(methods="dense", ratio="0.9,0.98", checks="reinit", seeds="3-3") == ["dense seed 3"]


def test_a_variant_goes_to_the_methods_whose_paper_has_them() -> None:
    assert titles(methods="snip,hybrid_tickets,synflow", variant="su2020", checks="none", seeds="0") == [
        "snip@su2020 98 % none seed 0",
        "hybrid_tickets@su2020 98 % none seed 0",
        "synflow 98 % none seed 0",
    ]
    assert titles(methods="snip@lee2019,snip", checks="none", seeds="0") == [
        "snip@lee2019 98 % none seed 0",
        "snip 98 % none seed 0",
    ]


def test_an_option_with_commas_is_a_method_each() -> None:
    assert titles(methods="snip", checks="none", seeds="0", snip__biases="never,pruned", snip__examples="1,100") == [
        f"snip[biases={biases},examples={examples}] 98 % none seed 0"
        for biases in ("never", "pruned")
        for examples in (1, 100)
    ]


def test_options_of_a_part_of_a_composed_check() -> None:
    assert titles(
        methods="snip", checks="random_labels+random_pixels", seeds="0", random_pixels__channels="together"
    ) == [
        "snip 98 % none seed 0",
        "snip 98 % random_labels+random_pixels[channels=together] seed 0",
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"methods": "snip,snip"}, "names snip twice"),
        ({"methods": "snip@su2020,snip", "variant": "su2020"}, "snip@su2020 would run twice"),
        ({"ratio": []}, "the list is empty"),
        ({"methods": "methods.snip:Snip"}, "cannot be loaded"),
        ({"methods": "no_such_module:Method"}, "cannot be loaded"),
        ({"wodel.width": 3}, "Did you mean 'model'?"),
    ],
)
def test_what_cannot_be_run_is_said(given: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says.replace("?", r"\?")):
        cells(from_mapping(given))


def test_text_and_values_mean_the_same() -> None:
    spoken = parse(["ratio=0.9,0.98", "seeds=0,1", "deterministic=true", "recipe.epochs=3"])
    written = from_mapping({"ratio": [0.9, 0.98], "seeds": (0, 1), "deterministic": True, "recipe.epochs": "3"})
    assert spoken == written


def test_every_key_has_a_line_of_help() -> None:
    assert all(line and kind for _, kind, _, line in table())


def test_decompose_is_the_nested_family_and_random_pruning() -> None:
    assert titles(methods="snip", checks="decompose", seeds="0") == [
        "random 98 % none seed 0",
        "snip 98 % none seed 0",
        "snip 98 % layerwise_rearrange+reinit seed 0",
        "snip 98 % rewire+reinit seed 0",
        "snip 98 % reinit seed 0",
        "snip 98 % signed_reinit seed 0",
    ]


def test_with_seeds_that_the_results_decide_on_a_decomposition_starts_with_more() -> None:
    assert len({cell.seed for cell in cells(from_mapping({"checks": "decompose"}))}) == 6
    assert len({cell.seed for cell in cells(from_mapping({"checks": "reinit"}))}) == 4


def test_decompose_takes_what_is_there_already() -> None:
    both = titles(methods="random,snip", checks="reinit,decompose,invert", seeds="0")
    assert len(set(both)) == len(both) == 2 * 6
    assert "random@frankle2021 98 % none seed 0" in titles(
        methods="snip,dense", variant="frankle2021", checks="decompose", seeds="0"
    )
