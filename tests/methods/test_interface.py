"""What a method of one's own may do: construct its mask, revive weights, say which data it needs."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import checks
import methods
from methods.base import Batches, Method
from methods.data import ScoringData
from methods.magnitude import Magnitude
from methods.synflow import SynFlow
from sanity.errors import UserError
from sanity.grid.scoring_batches import scoring_batches
from sanity.invariants import nets
from sanity.masks import Mask, kept, size, ties
from sanity.recipes import Recipe
from sanity.seeds import generator


@dataclass(frozen=True, kw_only=True)
class Corner(Method):
    """A constructed mask: the first weights of the network, by position.

    off_by: so many weights too many.
    """

    off_by: int = 0

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        weights = self.targets(model)
        total = sum(weight.numel() for weight in weights.values())
        chosen = torch.arange(total) < round((1 - ratio) * total) + self.off_by
        parts = chosen.split([weight.numel() for weight in weights.values()])
        return {name: part.view_as(weights[name]) for name, part in zip(weights, parts, strict=True)}


@dataclass(frozen=True, kw_only=True)
class Wrong(Corner):
    """A constructed mask with one thing wrong."""

    what: str = ""

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        mask = super().mask(model, batches, ratio, generator)
        first = next(iter(mask))
        wrong: Mapping[str, Mask | list[Tensor]] = {
            "missing": {name: layer for name, layer in mask.items() if name != first},
            "unknown": {**mask, "7.bias": torch.ones(4, dtype=torch.bool)},
            "shape": {**mask, first: mask[first].flatten()},
            "type": {**mask, first: mask[first].float()},
            "list": list(mask.values()),
        }
        return wrong[self.what]  # type: ignore[return-value]


def test_a_constructed_mask_is_a_method() -> None:
    model = nets.net("perceptron")
    mask = Corner().mask(model, [], 0.5)
    assert kept(mask) == round(0.5 * size(mask))
    assert mask["1.weight"].flatten()[:492].all()
    assert not mask["5.weight"].any()
    assert ties(mask) is None, "it did not come from scores"
    assert not nets.changed(mask, Corner().prune(model, [], 0.5, generator(0), {n: m | True for n, m in mask.items()}))


def test_a_constructed_mask_is_held_to_the_budget() -> None:
    with pytest.raises(UserError, match=r"Corner keeps 493 of 984 weights at ratio=0\.5; 492 are to be kept"):
        Corner(off_by=1).mask(nets.net("perceptron"), [], 0.5)
    with pytest.raises(UserError, match=r"Corner keeps 492 of 864 weights of '1\.weight' at ratio=0\.5; 432 are to be"):
        Corner(allocation="uniform").mask(nets.net("perceptron"), [], 0.5)
    with pytest.raises(UserError, match=r"ratio=1\.5"):
        Corner().mask(nets.net("perceptron"), [], 1.5)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", r"Wrong: the mask has no entry for '1\.weight'"),
        ("unknown", r"Wrong: the mask has '7\.bias', which is none of the weights: 1\.weight, 3\.weight, 5\.weight"),
        ("shape", r"Wrong: the mask of '1\.weight' is torch\.bool \(864,\), it must be bool \(8, 108\)"),
        ("type", r"Wrong: the mask of '1\.weight' is torch\.float32 \(8, 108\), it must be bool \(8, 108\)"),
        ("list", "Wrong: a mask is a dict of boolean tensors by parameter name, not list"),
    ],
)
def test_a_mask_that_is_none_is_one_line(what: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Wrong(what=what).mask(nets.net("perceptron"), [], 0.5)
    assert "\n" not in str(caught.value)

    class OfAnyCount(Wrong):
        called, exact_counts = "Wrong", False

    with pytest.raises(UserError, match=message):
        OfAnyCount(what=what).mask(nets.net("perceptron"), [], 0.5)


def test_what_a_constructed_mask_cannot_do_is_one_line() -> None:
    model = nets.net("perceptron")
    with pytest.raises(UserError, match="Corner constructs its mask and has no score"):
        Corner().score(model, [])
    with pytest.raises(UserError, match="Corner constructs its mask: there is no ranking to invert"):
        checks.get("invert").alter(Corner()).check_feasible(model, 0.5)
    alive = {name: layer & False for name, layer in Corner().mask(model, [], 0.5).items()}
    with pytest.raises(UserError, match="rounds cannot refine"):
        Corner().prune(model, [], 0.5, generator(0), alive)


def test_a_method_revives_only_where_it_says_so() -> None:
    class Lasting(Method):
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            ones = {name: weight.detach() for name, weight in self.targets(net).items()}
            return {name: torch.where(weight == 0, 10.0, weight.abs()) for name, weight in ones.items()}

    class Coming(Lasting):
        revive: ClassVar[bool] = True

    net, batches = nets.net("batch_norm"), nets.batches()
    first = Lasting(rounds=1).mask(net, batches, 0.5)
    lasting, coming = (cls(rounds=2, schedule="linear").mask(net, batches, 0.75) for cls in (Lasting, Coming))
    halves = Lasting(rounds=1).mask(net, batches, 0.375)
    assert not any((lasting[name] & ~halves[name]).any() for name in first)
    assert any((coming[name] & ~halves[name]).any() for name in first)


def test_a_method_says_which_data_it_needs() -> None:
    class Reader(Magnitude):
        needs_data: ClassVar[bool] = True

        @property
        def data(self) -> ScoringData:
            return ScoringData(examples_per_class=2, batches=3)

    drawn = scoring_batches(Reader(), nets.dataset(120), Recipe(), generator(0))
    assert [len(targets) for _, targets in drawn] == [2 * nets.CLASSES] * 3


def test_scores_that_are_all_equal_are_marked(caplog: pytest.LogCaptureFixture) -> None:
    class Level(Method):
        def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
            return {name: torch.ones_like(weight) for name, weight in self.targets(net).items()}

    with caplog.at_level(logging.WARNING, logger="sanity"):
        mask = Level().mask(nets.net("perceptron"), [], 0.5)
    assert ties(mask) == kept(mask) == 492
    assert "Level: 492 of 492 kept weights scored the same as removed ones; their position" in caplog.text
    assert ties(methods.get("magnitude").mask(nets.net("perceptron"), [], 0.5)) == 0


def test_no_more_weights_tie_than_many_rounds_keep(caplog: pytest.LogCaptureFixture) -> None:
    """Inverted, SynFlow keeps weights that no signal reaches any more, all of which score zero from then on."""
    with caplog.at_level(logging.WARNING, logger="sanity"):
        mask = SynFlow(rounds=20, invert=True).mask(nets.net("perceptron"), nets.batches(), 0.95)
    assert 0 < (ties(mask) or 0) <= kept(mask)
    assert f"{ties(mask)} of {kept(mask)} kept weights scored the same as removed ones" in caplog.text


def test_a_pattern_is_an_option_of_every_method() -> None:
    model = nets.net("perceptron")
    for name in ("magnitude", "snip", "synflow", "random"):
        mask = methods.get(name, pattern="2:4").mask(model, nets.batches(), 0.5, generator(0))
        assert (mask["1.weight"].view(-1, 4).sum(1) == 2).all()
        assert mask["5.weight"].all(), "ten inputs are no multiple of four"
    with pytest.raises(UserError, match=r"set ratio=0\.5"):
        methods.get("snip", pattern="2:4").mask(model, nets.batches(), 0.9)
    with pytest.raises(UserError, match="set allocation=global"):
        methods.get("random_tickets", pattern="2:4").mask(model, nets.batches(), 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 10**9}, "less than or equal to 10000"),
        ({"pattern": "4:2"}, r"snip\.pattern=4:2: should be unstructured or N:M"),
    ],
)
def test_bounds_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        methods.get("snip", **options)


@pytest.mark.parametrize("removed", [1e-9, 1e-300])
def test_more_rounds_than_there_may_be_are_named(removed: float) -> None:
    with pytest.raises(UserError, match=r"removed_per_round=.* takes more than 10000 rounds; 0\.00023 is the least"):
        methods.get("snip", removed_per_round=removed).ratios(0.9)


def test_messages_call_a_method_by_the_users_word(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from methods.magnitude import Magnitude\n\n\nclass Mine(Magnitude):\n    pass\n", encoding="utf-8")
    assert methods.get(f"{file}:Mine").called == f"{file}:Mine"
    assert methods.get("ntk_sap").called == "ntk_sap"


@dataclass(frozen=True, kw_only=True)
class Reversed(SynFlow):
    """SynFlow's flow with its sign reversed: a saliency of one's own, derived from one whose scores are products."""

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        return {name: -score for name, score in super().saliency(net, batches, generator).items()}


class Reversing:
    """The same for whatever method it is mixed into."""

    def saliency(self, *given: Any) -> dict[str, Tensor]:
        return {name: -score for name, score in super().saliency(*given).items()}  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class Mixed(Reversing, SynFlow):
    """SynFlow's flow with its sign reversed by a mixin."""


def reversed_by_itself(rounds: int) -> Method:
    """SynFlow with its sign reversed in the object alone, as a check may do."""
    method = SynFlow(rounds=rounds)
    score = method.saliency
    object.__setattr__(method, "saliency", lambda *given: {name: -s for name, s in score(*given).items()})
    return method


@pytest.mark.parametrize("own", [Reversed, Mixed, reversed_by_itself])
def test_a_saliency_of_ones_own_decides_where_its_base_multiplies_few_scores(own: Callable[..., Method]) -> None:
    net, batches = nets.net("perceptron", double=True), nets.batches()
    mask = own(rounds=3).mask(net, batches, 0.5)
    theirs = SynFlow(rounds=3, invert=True).mask(net, batches, 0.5)
    assert all(torch.equal(mask[name], layer) for name, layer in theirs.items())
    assert any(not torch.equal(mask[name], layer) for name, layer in SynFlow(rounds=3).mask(net, batches, 0.5).items())
