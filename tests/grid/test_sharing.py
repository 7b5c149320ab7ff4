"""Which dense networks are trained once and shared, and which must not be."""

import gc
import importlib
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from sanity.config import from_mapping
from sanity.grid.execution import run_grids
from sanity.grid.plan import plan
from sanity.grid.rounds import Rounds
from sanity.run import prepare, run
from sanity.store.records import load_records
from tests.small_runs import Start, records

KEYS = {
    "model": "lenet_300_100", "recipe.epochs": 3, "dataset.limit": 200, "dataset.test_limit": 100, "seeds": 0,
    "device": "cpu", "methods": "partially_trained", "checks": "random_labels", "ratio": 0.9,
}  # fmt: skip


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a module of the user's, or writes it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be taken for that of the next writing

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()

    return write


def test_runs_of_one_request_start_from_the_same_dense_networks(tmp_path: Path) -> None:
    rewound = {"partially_trained.rewind": "weights", "partially_trained.rewind_epoch": 1}
    here = {**KEYS, "results_dir": str(tmp_path / "results")}
    elsewhere = {**here, **rewound, "recipe.lr": 0.05}
    configs = [from_mapping(one) for one in (here, {**here, **rewound}, elsewhere)]
    before: frozenset[object] = frozenset()
    ahead = []
    for config in configs:
        experiment, cells = prepare(config, configs)
        made = plan(cells, experiment, before)
        before |= made.names
        ahead.append((made.dense, made.trainings))
    # a clean and a corrupted dense network, and a ticket from each; the second run trains its tickets alone
    assert ahead == [(2, 4), (0, 2), (2, 4)]
    run_grids(configs)
    assert len(records(tmp_path)) == sum(trainings for _, trainings in ahead)


@pytest.mark.parametrize("seeds", ["0", "auto"])
def test_a_cell_that_two_grids_of_a_request_share_is_one_row(tmp_path: Path, seeds: str) -> None:
    keys = {**KEYS, "methods": "dense,random", "checks": "none", "results_dir": str(tmp_path), "seeds": seeds}
    most = {"max_seeds": 2} if seeds == "auto" else {}
    configs = [from_mapping({**keys, **most, "ratio": ratio}) for ratio in (0.5, 0.9)]
    if seeds == "auto":
        rounds = Rounds(configs, lambda frame: {})
        rounds.run()
        frame = rounds.frame()
    else:
        frame = run_grids(configs)
    first = frame[frame["seed"] == 0]
    assert sorted(zip(first["method"], first["ratio"], strict=True)) == [("dense", 0), ("random", 0.5), ("random", 0.9)]


def test_a_new_snapshot_is_a_new_training_not_another_under_an_old_name(tmp_path: Path) -> None:
    keys = {**KEYS, "checks": "none", "methods": "dense,partially_trained", "results_dir": str(tmp_path / "results")}
    run(keys)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/trainings/*/weights.safetensors")}
    rewound = {"partially_trained.rewind": "weights", "partially_trained.rewind_epoch": 2}
    run({**keys, **rewound})
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_data_of_a_run_end_with_it(tmp_path: Path) -> None:
    config = from_mapping({**KEYS, "results_dir": str(tmp_path)})
    experiment, cells = prepare(config)
    (corrupted,) = {id(seen): seen for _ in range(2) for seen in [experiment.seen(cells[1].check, 0)]}.values()
    held = [weakref.ref(experiment.train), weakref.ref(corrupted)]
    del experiment, corrupted
    gc.collect()
    assert [ref() for ref in held] == [None, None]


def test_a_dense_network_on_data_of_edited_code_is_trained_anew(
    start: Start, tmp_path: Path, written: Callable[[str, str], None]
) -> None:
    for shift in (1, 2):
        written(
            "shifting",
            "from dataclasses import dataclass, replace\n"
            "from checks.base import Check\n"
            "@dataclass(frozen=True, kw_only=True)\n"
            "class Shift(Check):\n"
            "    keeps = destroys = 'nothing'\n"
            "    def corrupt(self, dataset, generator):\n"
            f"        return replace(dataset, targets=(dataset.targets + {shift}) % dataset.classes)\n",
        )
        assert start(methods="partially_trained", seeds="0", checks="shifting:Shift") == 0
    # the control and its dense network once; under the check, a dense network and a ticket for each version
    assert len(records(tmp_path)) == 2 + 2 * 2
    frame = load_records(tmp_path / "results")
    assert frame.loc[frame["check"] == "shifting:Shift", "training"].nunique() == 2


DRAWN = """
from sanity.models.init import Init, normal

class Drawn(Init):
    def weight(self, shape, kind, generator):
        return normal(shape, {value}, generator)
"""
BUILT = """
from dataclasses import dataclass
from torch import nn
from sanity.models.base import Model

@dataclass(frozen=True)
class Built(Model):
    def build(self, input_shape, classes):
        hidden = int(100 * {value})
        return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, classes))
"""


@pytest.mark.parametrize(("key", "code"), [("init", DRAWN), ("model", BUILT)])
def test_edited_code_of_a_network_or_its_initialisation_is_another_run(
    start: Start, tmp_path: Path, written: Callable[[str, str], None], key: str, code: str
) -> None:
    for value in (0.1, 0.2):
        name = code.split("class ")[1].split("(")[0]
        written(name.lower(), code.format(value=value))
        assert start(methods="snip", seeds="0", checks="none", **{key: f"{name.lower()}:{name}"}) == 0
    assert len(records(tmp_path)) == 2
    assert load_records(tmp_path / "results")["ticket"].nunique() == 2


def test_a_mask_found_while_other_examples_were_held_out_is_not_taken(start: Start, tmp_path: Path) -> None:
    keys = {"methods": "snip", "seeds": "0", "checks": "none"}
    for holdout, results in ((0.0, "results"), (0.3, "results"), (0.3, "fresh")):
        assert start(**keys, recipe__holdout=str(holdout), results_dir=str(tmp_path / results)) == 0
    found = load_records(tmp_path / "results")
    (fresh,) = load_records(tmp_path / "fresh")["ticket"]
    assert set(found["ticket"]) > {fresh}


def test_a_check_may_move_the_moment_that_a_method_rewinds_to(
    start: Start, tmp_path: Path, written: Callable[[str, str], None]
) -> None:
    written(
        "later",
        "from dataclasses import dataclass, replace\n"
        "from checks.base import Check\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Later(Check):\n"
        "    keeps, destroys = 'the mask', 'the start'\n"
        "    def alter(self, method):\n"
        "        return replace(method, rewind='weights', rewind_epoch=1)\n",
    )
    assert start(methods="partially_trained", seeds="0", checks="later:Later") == 0
    assert set(load_records(tmp_path / "results")["status"]) == {"done"}
