"""A raised version of a method or check names other results; those of everything else stay valid."""

from dataclasses import replace
from typing import Any

import pytest

from checks.layerwise_rearrange import LayerwiseRearrange
from checks.random_labels import RandomLabels
from methods.snip import SNIP
from sanity.cli.request import requested
from sanity.config import from_mapping
from sanity.config.source_hash import code_key
from sanity.grid import keys
from sanity.grid.cells import Cell, cells
from sanity.grid.versions import versions
from sanity.run import prepare

RUN: dict[str, Any] = {
    "methods": "snip,magnitude", "checks": "layerwise_rearrange,random_labels", "ratio": 0.9, "seeds": 0,
    "model": "lenet_300_100", "dataset.limit": 400, "dataset.test_limit": 50, "device": "cpu",
}  # fmt: skip


def named() -> dict[str, tuple[str, str, str]]:
    """The keys of each cell's record, mask and dense training on the data that its check leaves."""
    experiment, asked = prepare(from_mapping(RUN))
    return {
        cell.title: (
            keys.cell(cell, experiment),
            keys.mask(cell, experiment, cell.ratio, 0),
            keys.dense(cell.seed, cell.check.data_part(), experiment),
        )
        for cell in asked
    }


@pytest.mark.parametrize(
    ("item", "concerned"),
    [
        (SNIP, {"cell": "snip", "mask": "snip", "dense": "nothing"}),
        (RandomLabels, {"cell": "random_labels", "mask": "snip 90 % random_labels", "dense": "random_labels"}),
        (LayerwiseRearrange, {"cell": "layerwise_rearrange", "mask": "nothing", "dense": "nothing"}),
    ],
)
def test_a_raised_version_names_its_own_results_anew_and_no_others(
    monkeypatch: pytest.MonkeyPatch, item: type, concerned: dict[str, str]
) -> None:
    before = named()
    monkeypatch.setattr(item, "version", 2)
    after = named()
    for title, kept in before.items():
        for place, kind in enumerate(("cell", "mask", "dense")):
            assert (after[title][place] != kept[place]) is (concerned[kind] in title)


def test_a_first_version_is_not_named() -> None:
    assert code_key(SNIP) == ""
    assert code_key(type("Raised", (SNIP,), {"version": 3, "__module__": SNIP.__module__})) == "v3"


def test_the_parts_of_a_cell_and_its_table_have_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RandomLabels, "version", 4)
    config = from_mapping({**RUN, "methods": "dense,snip"})
    asked = {cell.title: cell for cell in cells(config)}
    assert versions(asked["dense seed 0"], config) == {}
    assert versions(asked["snip 90 % none seed 0"], config) == {"snip": 1}
    reproduced = replace(config, reproduction="lee2019_table1", table_version=2)
    made_by = versions(asked["snip 90 % random_labels seed 0"], reproduced)
    assert made_by == {"snip": 1, "random_labels": 4, "lee2019_table1": 2}
    (part,) = requested({"reproduction": "lee2019_table1", "model": "lenet5"}).configs
    assert (part.reproduction, part.table_version) == ("lee2019_table1", 1)
    assert isinstance(asked["dense seed 0"], Cell)
