"""Which dense networks are trained once and shared, and which must not be."""

import importlib
import sys
from pathlib import Path

import pytest
from small_runs import Start, records

from sanity.config import from_mapping
from sanity.plan import plan
from sanity.run import _run, prepare
from sanity.store import load_records

KEYS = {
    "model": "lenet_300_100", "recipe.epochs": 3, "dataset.limit": 200, "dataset.test_limit": 100, "seeds": 0,
    "device": "cpu", "methods": "partially_trained", "checks": "random_labels", "ratio": 0.9,
}  # fmt: skip


def test_runs_of_one_request_start_from_the_same_dense_networks(tmp_path: Path) -> None:
    rewound = {"partially_trained.rewind": "weights", "partially_trained.rewind_epoch": 1}
    here = {**KEYS, "results_dir": str(tmp_path / "results")}
    elsewhere = {**here, **rewound, "recipe.lr": 0.05}
    configs = [from_mapping(one) for one in (here, {**here, **rewound}, elsewhere)]
    networks: frozenset[str] = frozenset()
    ahead = []
    for config in configs:
        context, cells = prepare(config, configs)
        made = plan(cells, context, networks)
        networks |= made.networks
        ahead.append((made.dense, made.trainings))
    # a clean and a corrupted dense network, and a ticket from each; the second run trains its tickets alone
    assert ahead == [(2, 4), (0, 2), (2, 4)]
    _run(configs, lambda: False)
    assert len(records(tmp_path)) == sum(trainings for _, trainings in ahead)


def test_a_dense_network_on_data_of_edited_code_is_trained_anew(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for shift in (1, 2):
        (tmp_path / "shifting.py").write_text(
            "from dataclasses import dataclass, replace\n"
            "from checks.base import Check\n"
            "@dataclass(frozen=True, kw_only=True)\n"
            "class Shift(Check):\n"
            "    keeps = destroys = 'nothing'\n"
            "    def corrupt(self, dataset, generator):\n"
            f"        return replace(dataset, targets=(dataset.targets + {shift}) % dataset.classes)\n"
        )
        sys.modules.pop("shifting", None)
        importlib.invalidate_caches()
        assert start(methods="partially_trained", seeds="0", checks="shifting:Shift") == 0
    # the control and its dense network once; under the check, a dense network and a ticket for each version
    assert len(records(tmp_path)) == 2 + 2 * 2
    frame = load_records(tmp_path / "results")
    assert frame.loc[frame["check"] == "shifting:Shift", "training"].nunique() == 2
