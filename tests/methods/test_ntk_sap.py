"""NTK-SAP is that of the official code for the same draws, and sees what it says."""

import pytest
import torch
from torch import Tensor

import methods
from methods.gradients import gradient
from methods.ntk_sap import misalignment
from sanity.invariants import nets
from sanity.masks import prunable
from sanity.seeds import generator
from tests.methods import golden_values

STORED = golden_values.values("ntk_sap")


def state() -> dict[str, Tensor]:
    shapes = golden_values.part(STORED, "dense/mask.")
    widths = dict(zip(("conv1", "bn1", "bn2"), (len(shapes[f"conv{at}.weight"]) for at in (1, 1, 2)), strict=True))
    values = {name: torch.ones(shape.shape) for name, shape in shapes.items()}
    for name, width in widths.items():
        values[f"{name}.bias"] = torch.zeros(width)
        if name.startswith("bn"):
            values |= {f"{name}.weight": torch.ones(width), f"{name}.running_mean": torch.zeros(width)}
            values |= {f"{name}.running_var": torch.ones(width), f"{name}.num_batches_tracked": torch.tensor(0)}
    return {**values, "fc.bias": torch.zeros(4)}


@pytest.mark.parametrize("which", ["dense", "masked"])
def test_scores_equal_the_published_ones(which: str) -> None:
    net = golden_values.small_net(state())
    methods.get("ntk_sap").prepare(net, generator(0))
    mask = prunable(net)
    with torch.no_grad():
        for name, entries in golden_values.part(STORED, f"{which}/mask.").items():
            mask[name].copy_(entries)
    slope = {name: torch.zeros_like(entries) for name, entries in mask.items()}
    for number in range(2):
        weights, noise = (golden_values.part(STORED, f"{which}/{kind}.{number}.") for kind in ("weights", "noise"))
        examples, epsilon = STORED[f"{which}/input.{number}"], float(STORED["epsilon"])
        for name, part in gradient(misalignment(net, mask, weights, noise, examples, epsilon), mask).items():
            slope[name] += part
    for name, theirs in golden_values.part(STORED, f"{which}/score.").items():
        ours = (slope[name] * (mask[name] != 0)).abs()
        assert (ours - theirs).norm() <= 1e-9 * theirs.norm()


def test_it_sees_the_mask_and_the_biases_alone() -> None:
    one, other = nets.net("shortcut", seed=0), nets.net("shortcut", seed=1)
    with torch.no_grad():
        for (name, tensor), drawn in zip(other.named_parameters(), one.parameters(), strict=True):
            if name not in prunable(other):
                tensor.copy_(drawn)
    method = methods.get("ntk_sap", rounds=2, draws=1, examples=4)
    masks = [method.mask(net, nets.batches(), 0.7, generator(0)) for net in (one, other)]
    assert not nets.changed(*masks)


@pytest.mark.parametrize("options", [{"draws": 2}, {"examples": 9}, {"epsilon": 0.5}], ids=str)
def test_every_option_matters(options: dict[str, float]) -> None:
    usual = {"draws": 1, "examples": 4}
    model, batches = nets.net("batch_norm"), nets.batches()
    scores = [methods.get("ntk_sap", **each).score(model, batches) for each in (usual, {**usual, **options})]
    assert nets.changed(*scores)
