"""A mistake in a method or a check of one's own is one line and exit code 2, before anything is computed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from checks.base import Check
from methods.base import Batches, Method
from methods.magnitude import Magnitude
from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks.ticket import Ticket
from sanity.models.base import Model
from sanity.run import main

HERE = __name__


class NoScore(Method):
    """Has neither saliency nor mask."""


class OddVariants(Magnitude):
    """Variants that are no mapping."""

    variants: ClassVar[Any] = 3


class OddPreset(Magnitude):
    """A variant that is no mapping."""

    variants: ClassVar[Any] = {"mine2026": 3}


class RaisingTargets(Magnitude):
    """Targets that raise."""

    def targets(self, net: nn.Module) -> dict[str, nn.Parameter]:
        raise KeyError("no layer of that name")


class NoTargets(Magnitude):
    """Targets without any."""

    def targets(self, net: nn.Module) -> dict[str, nn.Parameter]:
        return {}


@dataclass(frozen=True, kw_only=True)
class AltersToNothing(Check):
    """Forgets to return the method."""

    def alter(self, method: Any) -> Any:
        return None


@dataclass(frozen=True, kw_only=True)
class RaisesInAlter(Check):
    """Divides by zero."""

    def alter(self, method: Any) -> Any:
        return 1 // 0


@dataclass(frozen=True, kw_only=True)
class CorruptsToNothing(Check):
    """Forgets to return the data."""

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Any:
        return None


@dataclass(frozen=True, kw_only=True)
class PerturbsToNothing(Check):
    """Forgets to return the ticket."""

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Any:
        return None


@dataclass(frozen=True)
class Normed(Model):
    """A perceptron with batch norm."""

    def build(self, input_shape: Sequence[int], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, classes))


class OneExample(Magnitude):
    """Needs the shape of the data alone, and runs the network on it."""

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        net.train()
        net(batches[0][0])

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        self.bare_passes(net, batches)
        return super().saliency(net, batches, generator)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"methods": "methods.base:Method"}, "Method overrides neither saliency nor mask"),
        ({"methods": f"{HERE}:NoScore"}, "NoScore overrides neither saliency nor mask"),
        ({"methods": f"{HERE}:OddVariants"}, f"method {HERE}:OddVariants: variants must map the name of a paper to"),
        ({"methods": f"{HERE}:OddPreset@mine2026"}, f"method {HERE}:OddPreset: variants must map the name of a paper"),
        ({"methods": f"{HERE}:RaisingTargets"}, "RaisingTargets.targets: KeyError: 'no layer of that name'"),
        ({"methods": f"{HERE}:NoTargets"}, "NoTargets.targets must return the parameters to prune by name"),
        ({"checks": f"{HERE}:AltersToNothing"}, f"check {HERE}:AltersToNothing: alter returned NoneType, not a Method"),
        ({"checks": f"{HERE}:RaisesInAlter"}, f"check {HERE}:RaisesInAlter: alter: ZeroDivisionError: integer div"),
        ({"methods": "snip", "snip.batches": "1e9"}, "snip.batches=1e9: should be a valid integer"),
        ({"methods": "snip", "snip.batches": "1000000000"}, "snip.batches=1000000000: should be less than or equal to"),
        ({"methods": "snip", "snip.rounds": "1000000000"}, "snip.rounds=1000000000: should be less than or equal to"),
        ({"methods": "snip", "snip.removed_per_round": "1e-9"}, "removed_per_round=1e-09: to remove 0.5 takes more"),
        ({"methods": "snip", "snip.pattern": "2:4", "ratio": "0.9"}, "ratio=0.9: pattern=2:4 removes 0.5 of the wei"),
    ],
)
def test_a_mistake_is_one_line(
    words: Mapping[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"methods": "magnitude", "ratio": "0.5", "seeds": "0", "model": "lenet_300_100", **words}
    assert main([f"{key}={value}" for key, value in settings.items()] + [f"results_dir={tmp_path}"]) == 2
    assert f"error: {says}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (None, "saliency returned NoneType, not scores by name"),
        ([torch.ones(2)], "saliency returned list, not scores by name"),
        ({"0.weight": 3}, "scores '0.weight' with int, not with a tensor"),
        ({"0.weight": torch.ones(1, 2)}, "scores '0.weight' with torch.float32 (1, 2), but its weight has"),
        ({}, "gives no score for '0.weight'"),
        ({"0.weight": torch.full((3, 2), torch.nan)}, "has 6 of 6 values that are NaN or infinite"),
    ],
)
def test_scores_that_are_none_are_named(scores: Any, says: str) -> None:
    class Odd(Magnitude):
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> Any:
            return scores

    with pytest.raises(UserError, match=re.escape(says)):
        Odd().score(nn.Sequential(nn.Linear(2, 3)), [(torch.ones(2, 2), torch.tensor([0, 1]))])


@pytest.mark.parametrize(("name", "hook"), [("CorruptsToNothing", "corrupt"), ("PerturbsToNothing", "perturb")])
def test_a_check_that_returns_nothing_says_so(
    name: str, hook: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["methods=snip", "ratio=0.5", "seeds=0", "model=lenet_300_100", f"checks={HERE}:{name}"]
    assert main([*words, "recipe.epochs=1", f"results_dir={tmp_path}"]) in (1, 2)
    assert f"check {HERE}:{name}: {hook} returned NoneType, not a" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["methods=snip", "snip.examples=1"], ["methods=grasp", "grasp.examples=1"], [f"methods={HERE}:OneExample"]],
)
def test_batch_statistics_of_one_value_are_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = f"model={HERE}:Normed"
    assert main([*words, "ratio=0.5", "seeds=0", model, f"results_dir={tmp_path}"]) == 2
    assert "batch norm takes its statistics from a single value; score on more examples" in capsys.readouterr().err


@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_scores_of_half_precision_are_no_mistake(allocation: str) -> None:
    class Half(Method):
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            return {name: weight.abs().bfloat16() for name, weight in self.targets(net).items()}

    class Same(Method):
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            return {name: weight.abs().bfloat16().double() for name, weight in self.targets(net).items()}

    half, same = (cls(allocation=allocation).mask(nets.net("perceptron"), [], 0.5) for cls in (Half, Same))
    assert not nets.changed(half, same)
