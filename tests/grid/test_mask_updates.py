"""RigL, SET and GMP in a grid: the record holds the final mask, the rule is in the name, senseless questions end."""

from pathlib import Path
from typing import Any

import pytest

import methods
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import stored
from sanity.grid.experiment import Experiment
from sanity.grid.task import MaskSearch, TicketTraining
from sanity.grid.tasks import tasks
from sanity.grid.ticket_source import TicketSource
from sanity.masks import kept, layers, overlap
from sanity.run import prepare, run
from tests.small_runs import TINY

KEYS: dict[str, Any] = {
    **TINY, "methods": "rigl,set,gmp", "checks": "random_labels", "seeds": "0", "device": "cpu",
    "recipe.epochs": "3", "recipe.batch_size": "32", "rigl.update_every": "2it", "set.update_every": "2it",
    "gmp.update_every": "2it",
}  # fmt: skip
UPDATED = ("rigl", "set", "gmp")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, dict[tuple[str, str], Any], dict[Any, Any]]:
    """The experiment, its rows and its final trainings by method and check."""
    keys = {**KEYS, "results_dir": str(tmp_path_factory.mktemp("results"))}
    rows = {(row["method"].partition("[")[0], row["check"]): row for row in run(keys).to_dict("records")}
    experiment, cells = prepare(from_mapping(keys))
    trainings = {(cell.method.name, cell.check.label): tasks(cell, experiment) for cell in cells}
    return experiment, rows, trainings


def test_the_row_and_the_file_hold_the_final_mask(grid: Any) -> None:
    experiment, rows, trainings = grid
    for name in UPDATED:
        row, (_, training) = rows[name, "none"], trainings[name, "none"]
        folder = stored.training_folder(experiment, training.key_in(experiment))
        mask = {key: layer.bool() for key, layer in experiment.store.load(folder / "mask.safetensors").items()}
        weights = experiment.store.load(folder / "weights.safetensors")
        assert all(not weights[key][~layer].any() for key, layer in mask.items())
        assert row["layers"] == {key: layers(mask)[key] for key in row["layers"]}
        assert kept(mask) == row["kept"] == round(0.1 * row["prunable"])
        assert row["actual_ratio"] == pytest.approx(0.9, abs=1e-4)
        assert row["mask_updates"] > 2
        assert row["stayed"] == pytest.approx(overlap(mask, training.source.load(experiment).mask))
        assert (row["stayed"] == 1) == (name == "gmp"), "GMP starts from all weights, the others leave some behind"


def test_only_gmp_searches_nothing(grid: Any) -> None:
    _, _, trainings = grid
    for (name, check), (needed, _) in trainings.items():
        assert any(isinstance(task, MaskSearch) for task in needed) == (name != "gmp"), (name, check)


def test_a_check_of_the_data_changes_nothing_as_predicted(grid: Any) -> None:
    _, rows, _ = grid
    for name in UPDATED:
        assert rows[name, "random_labels"]["predicted"] == "identical"
        assert rows[name, "random_labels"]["identical_to_none"]
        assert rows[name, "random_labels"]["last_test_accuracy"] == rows[name, "none"]["last_test_accuracy"]


def test_the_rule_is_part_of_the_name_and_of_the_description(grid: Any) -> None:
    experiment, _, trainings = grid
    sources = [trainings[name, "none"][1].source for name in UPDATED]
    assert len({source.digest(experiment) for source in sources}) == 3
    for source in sources:
        assert TicketSource.from_dict(source.as_dict()) == source
    _, training = trainings["rigl", "none"]
    assert isinstance(training, TicketTraining)
    other = methods.get("rigl", update_every="2it", drop=0.31).mask_updates(0.9)
    ours = training.source.updates
    assert other is not None
    assert ours is not None
    assert other.text() != ours.text()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"methods": "gmp", "checks": "layerwise_rearrange"}, "starts from the dense network"),
        ({"methods": "gmp", "checks": "other_init"}, "starts from the dense network"),
        ({"methods": "gmp", "checks": "random_labels+rewire"}, "starts from the dense network"),
        ({"methods": "gmp", "checks": "invert"}, "invert=True has no effect"),
        ({"methods": "gmp", "checks": "none", "gmp.allocation": "smart_ratio"}, "no counts for the ratios on the way"),
        ({"methods": "gmp", "checks": "none", "gmp.rounds": "3"}, "rounds=3 has no effect"),
        ({"methods": "set", "checks": "freeze"}, "none could stay frozen"),
        ({"methods": "rigl", "checks": "none", "rigl.scored_at": "end"}, "in one training, from the start"),
        ({"methods": "rigl", "checks": "none", "rigl.pattern": "2:4", "ratio": "0.5"}, "would not survive"),
        ({"methods": "rigl", "checks": "none", "match": "live"}, "changes its mask while it trains"),
    ],
)
def test_what_has_no_meaning_is_refused(asked: dict[str, str], said: str, tmp_path: Path) -> None:
    ours = {key: value for key, value in KEYS.items() if key.partition(".")[0] not in UPDATED}
    with pytest.raises(UserError, match=said):
        prepare(from_mapping({**ours, **asked, "results_dir": str(tmp_path)}))
