"""What names a result: what must be in a name, and what must not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from checks import transfer
from checks.base import Check, M
from methods.base import Method
from sanity.config import from_mapping
from sanity.data.dataset import Dataset
from sanity.grid import keys
from sanity.grid.cells import Cell, CheckSpec
from sanity.grid.experiment import Experiment
from sanity.run import prepare, run
from sanity.store.identity import Form, encode, identity

TINY = {
    "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 200, "dataset.test_limit": 100, "ratio": 0.9,
    "seeds": 0, "device": "cpu", "methods": "magnitude",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Subclass(Check):
    """Replaces the method by one of another class with the same options."""

    keeps, destroys = "the options", "the formula"

    def alter(self, method: M) -> M:
        kind: Any = type(method)

        class Negated(kind):
            def saliency(self, *given: Any) -> dict[str, Tensor]:
                return {name: -score for name, score in super().saliency(*given).items()}

        return Negated()


@dataclass(frozen=True, kw_only=True)
class Power(Check):
    """Replaces the method by one that an option of the check changes, which no option of the method tells."""

    keeps, destroys = "the options", "the formula"
    sign: float = -1.0

    def alter(self, method: M) -> M:
        sign: float = self.sign
        kind: Any = type(method)

        class Signed(kind):
            def saliency(self, *given: Any) -> dict[str, Tensor]:
                return {name: sign * score for name, score in super().saliency(*given).items()}

        return Signed()


@dataclass(frozen=True, kw_only=True)
class Instance(Check):
    """Gives the method another formula without another class."""

    keeps, destroys = "the class", "the formula"

    def alter(self, method: M) -> M:
        assert isinstance(method, Method)
        changed, score = replace(method), method.saliency
        object.__setattr__(changed, "saliency", lambda *given: {name: -s for name, s in score(*given).items()})
        return changed


@dataclass(frozen=True, kw_only=True)
class Noise(Check):
    """Draws other targets, where its option says so."""

    keeps, destroys = "the images", "the labels"
    sigma: float = 0.0

    def corrupt(self, dataset: Any, generator: torch.Generator) -> Any:
        return replace(dataset, targets=(dataset.targets + int(self.sigma)) % dataset.classes)


HERE = "tests.grid.test_keys"


@pytest.mark.parametrize("check", ["Subclass", "Power", "Instance"])
def test_an_altered_method_whose_scores_differ_is_searched_anew(check: str, tmp_path: Any) -> None:
    frame = run({**TINY, "checks": f"{HERE}:{check}", "results_dir": str(tmp_path)}).set_index("check")
    altered = frame.loc[f"{HERE}:{check}"]
    assert not altered["identical_to_none"]
    assert altered["mask_overlap"] < 0.5
    assert len(list(tmp_path.glob("tickets/*"))) == 2


def test_an_option_of_the_check_that_alters_counts(tmp_path: Any) -> None:
    part = f"{HERE}:Power"
    frame = run({**TINY, "checks": part, "results_dir": str(tmp_path), f"{part}.sign": "-1,1"}).set_index("check")
    assert frame["identical_to_none"].to_dict() == {"none": False, f"{part}[sign=-1]": False, f"{part}[sign=1]": True}


@pytest.mark.parametrize("sigma", ["3e+0", "3"])
def test_an_options_value_may_hold_a_plus(sigma: str, tmp_path: Any) -> None:
    part = f"{HERE}:Noise"
    given = {**TINY, "methods": "snip", "checks": part, f"{part}.sigma": sigma, "results_dir": str(tmp_path)}
    experiment, cells = prepare(from_mapping(given))
    assert cells[1].check.data_part() == cells[1].check
    assert not torch.equal(experiment.seen(cells[1].check, 0).targets, experiment.train.targets)
    assert not run(given).set_index("check").loc[cells[1].check.label, "identical_to_none"]


def names(cell: Cell, experiment: Experiment) -> Mapping[str, str]:
    return {"cell": keys.cell(cell, experiment), "mask": keys.mask(cell, experiment, cell.ratio, 0)}


def test_a_check_of_the_ticket_alone_needs_no_search_of_its_own() -> None:
    experiment, cells = prepare(from_mapping({**TINY, "methods": "snip", "checks": "layerwise_shuffle,random_labels"}))
    control, ticket, data = (names(cell, experiment) for cell in cells)
    assert control["mask"] == ticket["mask"] != data["mask"]
    assert len({control["cell"], ticket["cell"], data["cell"]}) == 3


def test_a_name_is_the_hash_of_its_fields() -> None:
    experiment, _ = prepare(from_mapping(TINY))
    clean = CheckSpec((("none", ()),))
    fields = keys.training_fields("digest", 3, clean, experiment)
    assert keys.ticket("digest", 3, clean, experiment) == identity({**fields, "snapshots": []})


NAMES = st.text("abcdefgh_", min_size=1, max_size=6)
FIELDS = st.dictionaries(NAMES, st.text() | st.integers() | st.lists(st.text()), max_size=5)
OWN = st.dictionaries(NAMES, st.floats(0.001, 1) | st.integers() | st.text(), max_size=4)


@given(shared=FIELDS, own=OWN)
def test_fields_written_once_and_fields_of_their_own_give_the_identity_of_both(
    shared: dict[str, Any], own: dict[str, Any]
) -> None:
    encoded = {name: encode(value) for name, value in shared.items() if name not in own}
    assert Form(encoded, own).hash(own) == identity({**shared, **own})


def test_what_a_check_reads_beside_the_data_is_in_the_names_of_all_that_it_touches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name of a data set does not say which copy of it lies in the folder."""
    named = []
    for shade in (0, 1, 1):
        images = torch.full((40, 1, 8, 8), shade, dtype=torch.uint8)
        other = Dataset(images, torch.arange(40) % 10, 10, (0.5,), (0.5,), "mnist")
        monkeypatch.setattr(transfer, "_load", lambda *_, other=other: other)
        methods = {"methods": "magnitude,partially_trained,snip", "snip.examples": 10, "transfer.dataset": "mnist"}
        experiment, cells = prepare(from_mapping({**TINY, **methods, "checks": "transfer"}))
        by_method = {cell.method.name: cell for cell in cells if not cell.check.is_control}
        searching = [keys.mask(cell, experiment, cell.ratio, 0) for cell in by_method.values()]
        dense = keys.dense(0, by_method["snip"].check, experiment)
        named.append([*searching, dense, *(keys.cell(cell, experiment) for cell in by_method.values())])
    first, second, third = named
    assert second == third
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, *[False] * 6], (
        "magnitude looks at no data, so that its mask is the same"
    )
