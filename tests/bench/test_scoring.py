"""The cost of a search beside its bare passes: what is measured of which method, and the mistakes."""

import json
from pathlib import Path

import pytest
from torch import nn

import methods
from sanity.bench import scoring, search_cost
from sanity.invariants import nets

SMALL = ["model=lenet_300_100", "shape=1x8x8", "examples=8", "ratio=0.5", "repeats=1", "device=cpu"]


def test_every_method_has_its_bare_passes_or_says_that_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "methods=snip,phew,edge_popup", "clock=cpu", f"json={tmp_path / 'costs.json'}"]
    assert scoring.main(words) == 0
    by_name = {row["method"]: row for row in json.loads((tmp_path / "costs.json").read_text())["figures"]}
    assert by_name["phew"]["bare_s"] is None
    assert by_name["phew"]["times"] is None
    for name in ("snip", "edge_popup"):
        row = by_name[name]
        assert row["times"] == pytest.approx(row["mask_s"] / row["bare_s"])  # of a single turn
    printed = capsys.readouterr().out
    assert "processor seconds" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_learnt_mask_passes_through_the_network_once_a_batch_and_epoch() -> None:
    seen = []

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nets.net("shortcut")

        def forward(self, x: object) -> object:
            seen.append(1)
            return self.net(x)

    batches = nets.batches()
    passes = search_cost.bare(methods.get("gem_miner", epochs=3), Counting(), batches)
    assert passes is not None
    passes()
    assert len(seen) == 3 * len(batches)


def test_a_clock_that_there_is_not_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert scoring.main([*SMALL, "clock=moon"]) == 2
    said = capsys.readouterr().err
    assert "clock" in said
    assert said.count("\n") == 1
