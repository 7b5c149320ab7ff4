"""`controls=true` adds comparisons whose answer is known, and they come out so."""

import logging
from pathlib import Path

import pytest
from torch import Tensor, nn

from methods.blind import Blind
from reports.controls import ROUNDING
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid.preparation import prepare
from sanity.masks import kept
from sanity.models import build
from sanity.models.base import InputShape, Model
from sanity.run import run
from sanity.seeds import generator

TINY = {"model": "lenet_300_100", "recipe.epochs": 2, "dataset.limit": 150, "dataset.test_limit": 100, "device": "cpu"}


class Strange(Model):
    """A network whose units cannot be followed."""

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        class Flipped(nn.Sequential):
            def forward(self, images: Tensor) -> Tensor:
                return self[1](self[0](images.flatten(1)).flip(1))

        size = input_shape[0] * input_shape[1] * input_shape[2]
        return Flipped(nn.Linear(size, 20), nn.Linear(20, classes))


def titles(**keys: object) -> list[str]:
    _, cells = prepare(from_mapping({**TINY, "methods": "dense,snip", "checks": "none", "ratio": "0.95,0.9", **keys}))
    return [cell.title for cell in cells]


def test_controls_are_added_to_every_seed_at_the_mildest_ratio_and_share_what_the_grid_has() -> None:
    plain, added = titles(seeds="0,1"), titles(seeds="0,1", controls="true")
    assert [title for title in added if title not in plain] == [
        f"{cell} seed {seed}"
        for seed in (0, 1)
        for cell in (
            "random 90 % none",
            "random 90 % layerwise_rearrange",
            "random 90 % random_labels",
            "snip 90 % permute_neurons",
            "blind 90 % none",
            "blind 90 % layerwise_rearrange",
        )
    ]
    assert set(plain) < set(added)
    assert len(set(added)) == len(added)


def test_a_control_that_the_network_does_not_allow_is_left_out_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "sanity"):
        added = titles(seeds="0", controls="true", model=f"{__name__}:Strange")
    assert not any("permute_neurons" in title for title in added)
    assert any("blind" in title for title in added)
    assert "flip" in caplog.text
    with pytest.raises(UserError, match=r"permute_neurons.*flip"):
        titles(seeds="0", checks="permute_neurons", model=f"{__name__}:Strange")


def test_controls_come_out_as_predicted(tmp_path: Path) -> None:
    frame = run(
        {**TINY, "methods": "magnitude", "checks": "reinit", "ratio": 0.9, "seeds": 0, "controls": True,
         "results_dir": tmp_path}
    ).set_index(["method", "check"])  # fmt: skip
    assert dict(frame["predicted"].dropna()) == {
        ("magnitude", "reinit"): "open",
        ("random", "layerwise_rearrange"): "null",
        ("random", "random_labels"): "identical",
        ("magnitude", "permute_neurons"): "same function",
        ("blind", "layerwise_rearrange"): "better",
    }
    found = frame.to_dict("index")
    assert found["random", "random_labels"]["identical_to_none"]
    assert found["magnitude", "permute_neurons"]["function_gap"] < ROUNDING
    assert not found["magnitude", "permute_neurons"]["identical_to_none"]


@pytest.mark.parametrize("ratio", [0.5, 0.98])
@pytest.mark.parametrize("name", ["lenet_300_100", "resnet8"])
def test_blind_cuts_a_third_of_the_classes_off_and_keeps_the_budget(name: str, ratio: float) -> None:
    network = build(name, (1, 8, 8), 10, generator=generator(0))
    mask = Blind().mask(network, [], ratio, generator(0))
    *_, last = mask.values()
    assert last.any(1).tolist() == [True] * 6 + [False] * 4
    assert kept(mask) == round((1 - ratio) * sum(layer.numel() for layer in mask.values()))


def test_blind_needs_three_classes() -> None:
    with pytest.raises(UserError, match="needs 3"):
        Blind().check_feasible(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 0.5)
