"""Checks that need the mask of another method: it is found once, on the clean data, and named in the results."""

from pathlib import Path
from typing import Any

import pytest

from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys as names
from sanity.grid.plan import plan
from sanity.grid.task import DenseTraining, MaskSearch, TicketTraining
from sanity.grid.tasks import tasks
from sanity.run import prepare, run

Keys = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 200, "dataset.test_limit": 100, "ratio": 0.9,
        "seeds": 0, "device": "cpu", "results_dir": str(tmp_path / "results"), "methods": "snip",
    }  # fmt: skip


def layer_counts(layers: Any) -> list[int]:
    return [layer["kept"] for layer in layers.values()]


def test_layer_counts_are_those_of_the_other_method(keys: Keys) -> None:
    frame = run({
        **keys, "methods": "snip,magnitude", "checks": "density_of,positions_of,random_labels+positions_of",
        "density_of.method": "magnitude", "positions_of.method": "snip",
    })  # fmt: skip
    assert set(frame["status"]) == {"done"}
    rows = {(row["method"], row["check"]): row for row in frame.to_dict("records")}
    snip, magnitude = (layer_counts(rows[(name, "none")]["layers"]) for name in ("snip", "magnitude"))
    assert snip != magnitude
    assert layer_counts(rows[("snip", "density_of[method=magnitude]")]["layers"]) == magnitude
    assert layer_counts(rows[("magnitude", "positions_of[method=snip]")]["layers"]) == snip
    assert rows[("snip", "positions_of[method=snip]")]["identical_to_none"]
    noisy = rows[("snip", "random_labels+positions_of[method=snip]")]
    assert layer_counts(noisy["layers"]) == snip, "the other method must see the clean data"
    assert noisy["mask_overlap"] < 1
    assert rows[("snip", "density_of[method=magnitude]")]["item_versions"]["magnitude"] == 1
    tickets = list(Path(keys["results_dir"], "tickets").iterdir())
    assert len(tickets) == 2 + 2 + 1, "two controls, positions_of for each, and under random labels for SNIP"


def test_what_the_other_method_starts_from_is_planned_first(keys: Keys) -> None:
    experiment, cells = prepare(from_mapping({
        **keys, "checks": "density_of,positions_of", "density_of.method": "partially_trained",
        "positions_of.method": "partially_trained",
    }))  # fmt: skip
    for cell in cells[1:]:
        needed, last = tasks(cell, experiment)
        assert isinstance(needed[0], DenseTraining)
        assert next(task for task in needed if isinstance(task, MaskSearch)).cell.method.name == "partially_trained"
        assert isinstance(last, TicketTraining)
        assert not last.can_start(experiment)
    assert plan(cells, experiment).dense == 1


def test_results_are_named_by_the_other_method(keys: Keys) -> None:
    options = ["snip", "snip@lee2019", "synflow", "random"]
    experiment, cells = prepare(from_mapping({
        **keys, "methods": "magnitude", "checks": "positions_of", "positions_of.method": ",".join(options),
    }))  # fmt: skip
    searches = [task.key for cell in cells for task in tasks(cell, experiment)[0] if isinstance(task, MaskSearch)]
    assert len(set(searches)) == 1 + 2 * len(options)
    assert len({names.cell(cell, experiment) for cell in cells}) == 1 + len(options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"density_of.method": "snp"}, "unknown method 'snp'. Did you mean 'snip'"),
        ({"density_of.method": "snip@lee"}, "unknown variant of snip 'lee'"),
        ({"density_of.method": "imported"}, "imported reads its masks from files"),
        ({"density_of.method": "dense"}, "unknown method 'dense'"),
        ({"methods": "random", "density_of.method": "snip", "dataset.limit": 60}, "examples"),
    ],
)
def test_a_mistake_in_the_other_method_is_told_at_the_start(keys: Keys, change: Keys, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(from_mapping({**keys, "checks": "density_of", **change}))
