"""Records say at which epoch masks are drawn, or weights rewound to: as an option has it, or a check."""

from pathlib import Path
from typing import Any

import pytest

from reports.over_moments import over_moments
from reports.statistics import summarise
from sanity.config import from_mapping
from sanity.grid.doses import dose, moments
from sanity.grid.experiment import Experiment
from sanity.run import prepare, run

Keys = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return {
        "model": "lenet_300_100", "recipe.epochs": 4, "recipe.batch_size": 50, "dataset.limit": 200, "seeds": 0,
        "dataset.test_limit": 100, "ratio": 0.9, "device": "cpu", "results_dir": str(tmp_path), "checks": "none",
    }  # fmt: skip


def prepared(keys: Keys) -> tuple[Experiment, dict[tuple[str, str], Any]]:
    experiment, cells = prepare(from_mapping(keys))
    return experiment, {(cell.method.label, cell.check.label): cell for cell in cells}


def test_moments_of_options_count_in_epochs(keys: Keys) -> None:
    experiment, cells = prepared({
        **keys, "methods": "dense,snip,partially_trained", "snip.scored_at": "init,2it,50%,end,best",
        "partially_trained.rewind_epoch": "0,1",
    })  # fmt: skip
    told = {label: moments(cell, experiment) for (label, _), cell in cells.items()}
    assert told == {
        "dense": {},
        "snip[scored_at=init]": {"scored_at": 0},
        "snip[scored_at=2it]": {"scored_at": 0.5},
        "snip[scored_at=50%]": {"scored_at": 2},
        "snip[scored_at=end]": {"scored_at": 4},
        "snip[scored_at=best]": {},
        "partially_trained[rewind_epoch=0]": {"rewind_epoch": 0},
        "partially_trained[rewind_epoch=1]": {"rewind_epoch": 1},
    }


def test_at_epoch_has_its_moment_as_dose_where_it_is_a_number(keys: Keys) -> None:
    experiment, cells = prepared({
        **keys, "methods": "snip", "snip.scored_at": 1, "checks": "at_epoch",
        "at_epoch.epoch": "2it,1,50%,end,best,init",
    })  # fmt: skip
    doses = {check: dose(cell, experiment) for (_, check), cell in cells.items() if check != "none"}
    values = [None if told is None else told["value"] for told in doses.values()]
    assert values == [0.5, 1, 2, 4, None, None]
    first = doses["at_epoch[epoch=2it]"]
    assert first == {"of": "at_epoch", "option": "at_epoch.epoch", "value": 0.5, "scale": "log10"}
    told = {check: moments(cell, experiment) for (_, check), cell in cells.items()}
    assert told["none"] == {"scored_at": 1}
    assert told["at_epoch[epoch=2it]"] == {"at_epoch.epoch": 0.5}, "the check takes the place of the option"
    assert told["at_epoch[epoch=best]"] == {}


def test_one_run_gives_the_curve(keys: Keys) -> None:
    frame = run({**keys, "recipe.epochs": 2, "methods": "snip", "checks": "at_epoch", "at_epoch.epoch": "2it,1"})
    assert list(frame["moments"]) == [{}, {"at_epoch.epoch": 0.5}, {"at_epoch.epoch": 1.0}]
    assert [told and told["value"] for told in frame["dose"]] == [None, 0.5, 1.0]


@pytest.mark.parametrize(
    ("method", "option", "values", "places"),
    [
        ("snip", "scored_at", "init,2it,1", [0, 0.5, 1]),
        ("partially_trained", "rewind_epoch", "0,1", [0, 1]),
        ("partially_trained", "weights_at", "init,2it,end", [0, 0.5, 2]),
    ],
)
def test_the_figure_over_k_holds_the_accuracy_of_the_run_of_each_k(
    keys: Keys, method: str, option: str, values: str, places: list[float]
) -> None:
    rewound = {"partially_trained.rewind": "weights"} if method == "partially_trained" else {}
    frame = run({**keys, **rewound, "recipe.epochs": 2, "methods": method, f"{method}.{option}": values})
    (panel,) = over_moments(summarise(frame))
    accuracy = dict(zip(frame["method"], frame["last_test_accuracy"], strict=True))
    (line,) = panel.lines.values()
    assert panel.option == option
    assert [place for place, _ in line] == places
    assert [cell.accuracy.mean for _, cell in line] == [
        next(reached for label, reached in accuracy.items() if f"{option}={value}" in label)
        for value in values.split(",")
    ]
