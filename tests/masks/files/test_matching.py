"""Layers are matched by name, else by shape and order; what has no counterpart is named."""

import re

import pytest
import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks.files.matching import Match, match
from tests.masks.files.files import network

OWN = {"0.weight": torch.ones(5, 6), "2.weight": torch.ones(5, 5), "4.weight": torch.ones(5, 5)}


def _named(**names: Tensor) -> dict[str, Tensor]:
    return {name.replace("__", "."): tensor for name, tensor in names.items()}


def _matched(names: list[str], ordered: bool = True) -> Match:
    return match(dict(zip(names, OWN.values(), strict=True)), OWN, "FILE", ordered)


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (["0.weight", "2.weight", "4.weight"], "by name"),
        (["model.0.weight", "model.2.weight", "model.4.weight"], "by name without 'model.'"),
        (["their.net.0.weight", "their.net.2.weight", "their.net.4.weight"], "by name without 'their.net.'"),
        (["first.w", "b.w", "a.w"], "by shape and order"),
        (["0", "1", "2"], "by order"),
        (["arr_0", "arr_1", "arr_2"], "by order"),
    ],
)
def test_the_way_of_matching(names: list[str], how: str) -> None:
    found = _matched(names)
    assert found.how == how
    assert list(found.names.items()) == list(zip(OWN, names, strict=True))


def test_names_count_more_than_order() -> None:
    theirs = {name: OWN[name] for name in ("4.weight", "0.weight", "2.weight")}
    assert match(theirs, OWN, "FILE").names == {name: name for name in OWN}


def test_a_shape_that_is_there_once_is_found_whatever_the_order() -> None:
    theirs = _named(b=torch.ones(5, 5), c=torch.ones(5, 5), a=torch.ones(5, 6))
    assert match(theirs, OWN, "FILE").names == {"0.weight": "a", "2.weight": "b", "4.weight": "c"}


def test_a_bias_goes_with_its_weight() -> None:
    """The file's biases are in another order than its weights."""
    own = network().state_dict()
    theirs = {"in.weight": own["0.weight"], "fc1.weight": own["2.weight"], "out.weight": own["4.weight"]}
    theirs |= {"fc1.bias": own["2.bias"], "in.bias": own["0.bias"], "out.bias": own["4.bias"]}
    found = match(theirs, own, "FILE").names
    assert {name.rpartition(".")[0]: layer.rpartition(".")[0] for name, layer in found.items()} == {
        "0": "in",
        "2": "fc1",
        "4": "out",
    }
    assert found["2.bias"] == "fc1.bias"


def test_names_that_no_order_sorts_are_not_guessed() -> None:
    with pytest.raises(UserError, match=r"nothing tells which of them is '2\.weight'"):
        _matched(["first.w", "b.w", "a.w"], ordered=False)
    assert _matched(["first.w", "block1.w", "block2.w"], ordered=False).how == "by shape and order"


@pytest.mark.parametrize(
    ("theirs", "complaint"),
    [
        (_named(a=torch.ones(7, 6)), "no layer for '0.weight' 5x6"),
        ({**OWN, "4.weight": torch.ones(5, 6)}, "'4.weight' is 5x6, but that layer of the network ('4.weight') is 5x5"),
        ({**OWN, "6.weight": torch.ones(3, 5)}, "'6.weight' 3x5 has no counterpart"),
        ({"0": torch.ones(5, 6)}, "a list of 1 tensors, but the network has 3 layers"),
        ({"0": torch.ones(5, 6), "1": torch.ones(5, 6), "2": torch.ones(5, 5)}, "'1' is 5x6"),
    ],
)
def test_what_does_not_fit_names_the_first_layer(theirs: dict[str, Tensor], complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)):
        match(theirs, OWN, "FILE")
