"""Runs that fail, break off or diverge: shown everywhere, and never in the way of the others."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from sanity.store import tensor_files
from sanity.store.records import load_records
from tests.small_runs import Start, records


def test_a_method_that_breaks_is_shown_and_the_grid_goes_on(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_method.py").write_text(
        "import torch\nfrom methods.base import Method\n"
        "class Broken(Method):\n"
        "    def saliency(self, net, batches, generator):\n"
        "        return {n: torch.full_like(w, float('nan')) for n, w in self.targets(net).items()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert start(methods="broken_method:Broken,random", seeds="0") == 1
    said = capsys.readouterr()
    assert "NaN" in said.err
    assert len(records(tmp_path)) == 2
    assert "Random" in said.out


BROKEN = """
import torch
from methods.base import Method

class Sometimes(Method):
    def saliency(self, net, batches, generator):
        if torch.rand((), generator=generator) < 0.5:
            raise OSError("the licence server is away")
        return {name: weight.detach() for name, weight in self.targets(net).items()}
"""


def test_a_run_that_failed_stays_in_every_report(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fickle.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    assert start(methods="fickle:Sometimes", seeds="0,1,2,3,4,5", checks="none") == 1
    printed = capsys.readouterr()
    said = " ".join(printed.out.split())
    failed = len(list(tmp_path.glob("results/cells/*.json"))) - len(records(tmp_path))
    assert 0 < failed < 6
    traces = sorted(tmp_path.glob("results/cells/*.log"))
    assert len(traces) == failed
    assert all("in saliency" in trace.read_text() for trace in traces)
    assert f"{failed} of 6 runs failed: OSError: the licence server is away" in said
    assert printed.err.count("failed: fickle:Sometimes") == 1  # for one reason one line, with one of the traces
    assert any(f"(traceback: {trace})" in printed.err for trace in traces)
    assert all(f"traceback in {trace}" in printed.err for trace in traces)  # each as it happens
    assert f"{failed} of 6 cells failed" in printed.err
    report = next((tmp_path / "results" / "reports").iterdir())
    assert "the licence server is away" in (report / "report.md").read_text()
    assert "the licence server is away" in (report / "report.html").read_text()
    assert list(load_records(tmp_path / "results")["status"]).count("failed") == failed
    (tmp_path / "fickle.py").write_text(BROKEN.replace("< 0.5", "< 0.0"))
    monkeypatch.delitem(sys.modules, "fickle")
    importlib.invalidate_caches()
    assert start(methods="fickle:Sometimes", seeds="0,1,2,3,4,5", checks="none") == 0


def test_results_of_other_code_under_one_name_are_not_shown(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for sign in ("", "-"):
        (tmp_path / "edited.py").write_text(
            "from methods.base import Method\n"
            "class Edited(Method):\n"
            "    def saliency(self, net, batches, generator):\n"
            f"        return {{name: {sign}w.detach().abs() for name, w in self.targets(net).items()}}\n"
        )
        sys.modules.pop("edited", None)
        importlib.invalidate_caches()
        assert start(methods="edited:Edited", seeds="0", checks="none") == 0
    assert len(records(tmp_path)) == 2


def test_a_dense_network_that_diverged_is_said_and_trained_once(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"rewind": "weights", "rewind_epoch": "1"}
    keys = {"recipe__lr": "1e30", "recipe__schedule": "constant", "seeds": "0", "methods": "partially_trained"}
    keys |= {f"partially_trained__{name}": value for name, value in options.items()}
    assert start(**keys) == 1
    assert "the training that it starts from diverged in epoch 1" in " ".join(capsys.readouterr().out.split())
    (record,) = records(tmp_path)
    before = record.stat().st_mtime_ns
    assert start(**keys) == 1
    assert record.stat().st_mtime_ns == before


def test_weights_with_a_flipped_bit_are_trained_anew(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"seeds": "0", "checks": "none"}
    assert start(**keys, methods="dense") == 0
    (record,) = records(tmp_path)
    weights = record.with_name("weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert start(**keys, methods="partially_trained") == 1
    assert "damaged; start again to have it trained anew" in " ".join(capsys.readouterr().out.split())
    assert start(**keys, methods="partially_trained") == 0
    assert tensor_files.read(weights) is not None


def test_a_diverged_run_is_recorded_and_shown(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"recipe__lr": "1e30", "recipe__schedule": "constant", "seeds": "0", "checks": "none"}
    assert start(**keys) == 0
    record = json.loads(records(tmp_path)[0].read_text())
    assert record["status"] == "diverged"
    assert record["diverged_epoch"] == 1
    assert record["last_test_accuracy"] is None
    assert "diverged" in capsys.readouterr().out
