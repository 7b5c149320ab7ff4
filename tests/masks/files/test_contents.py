"""Masks are found in every published form; what is no mask is one line that says what to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks import Mask, prunable
from sanity.masks.files.contents import FileMasks, masks_of
from sanity.masks.files.formats import read
from sanity.masks.files.matching import match
from tests.masks.files.files import floats, mask, network, pruned_by_openlth, pruned_by_torch


def _found(folder: Path, content: Any, source: str = "masks") -> FileMasks:
    torch.save(content, folder / "ticket.pt")
    return masks_of(read(folder / "ticket.pt"), source)


def _layers(found: FileMasks) -> Mask:
    """By the names of the network."""
    names = match(found.layers, prunable(network()), "ticket.pt").names
    return {own: found.layers[theirs] for own, theirs in names.items()}


FORMS: dict[str, Any] = {
    "floats": floats(mask()),
    "integers": {name: layer.to(torch.uint8) for name, layer in mask().items()},
    "torch.nn.utils.prune": pruned_by_torch(),
    "open_lth": pruned_by_openlth(),
    "list": list(mask().values()),
    "numbers": dict(enumerate(floats(mask()).values())),
    "mask buffers": {name.replace("weight", "mask"): layer for name, layer in mask().items()},
    "one level down": {"masks": floats(mask()), "model": network().state_dict(), "epoch": 12},
    "data parallel": {f"module.{name}": layer for name, layer in mask().items()},
    "other names": {f"features.{place}.kernel": layer for place, layer in enumerate(mask().values())},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_mask(tmp_path: Path, form: str) -> None:
    found = _found(tmp_path, FORMS[form])
    assert all(torch.equal(layer, mask()[name]) for name, layer in _layers(found).items())
    assert found.notes == ()


def test_the_zeros_of_pruned_weights_are_the_mask(tmp_path: Path) -> None:
    masks = mask()
    state = {name: value * masks.get(name, 1) for name, value in network().state_dict().items()}
    found = _found(tmp_path, state, "weights")
    assert all(torch.equal(layer, mask()[name]) for name, layer in _layers(found).items())


def test_weights_without_a_mask_beside_masks_are_dense(tmp_path: Path) -> None:
    state = pruned_by_torch()
    state["4.weight"] = state.pop("4.weight_orig")
    del state["4.weight_mask"]
    found = _found(tmp_path, state)
    assert _layers(found)["4.weight"].all()
    assert found.notes == ("'4.weight' has weights and no mask, and is taken to be dense",)


def test_masks_of_biases_are_left_out_and_said(tmp_path: Path) -> None:
    found = _found(tmp_path, {**floats(mask()), "0.bias": torch.tensor([1.0, 0, 1, 1, 1]), "2.bias": torch.ones(5)})
    assert list(found.layers) == list(mask())
    assert len(found.notes) == 1
    assert "'0.bias' removes 1 of 5" in found.notes[0]


def _with(value: float) -> Mapping[str, Tensor]:
    masks = {f"{name}_mask": layer for name, layer in floats(mask()).items()}
    masks["2.weight_mask"][0, 0] = value
    return masks


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (_with(float("nan")), "'2.weight' holds nan"),
        (_with(0.5), "'2.weight' holds 0.5, but a mask is zeros and ones"),
        (network().state_dict(), "has no masks"),
        (
            {name: value * mask().get(name, 1) for name, value in network().state_dict().items()},
            "imported.from=weights",
        ),
        ({"masks_before_sigmoid.0": torch.tensor([[-0.5, 2.0]])}, "save the masks that they give"),
        ({"mask": {"fc": torch.ones(5)}}, "fewer than two dimensions"),
        ({"epoch": 3}, "holds no tensors"),
    ],
)
def test_what_is_no_mask_is_one_line(tmp_path: Path, content: Any, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        _found(tmp_path, content)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("value", "complaint"), [(float("inf"), "not finite"), (1.0, "none of its weights is zero")])
def test_weights_that_tell_no_mask_are_one_line(tmp_path: Path, value: float, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        _found(tmp_path, {"0.weight": torch.full((2, 2), value)}, "weights")
