"""The check of a GPU, rehearsed on the CPU: it sees what differs, and its page and its file say so."""

import json
from pathlib import Path

import pytest
import torch

from sanity.bench import __main__ as bench
from sanity.bench import gpu_check, gpu_steps
from sanity.bench.gpu_steps import Finding

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the steps that start processes or measure for seconds."""
    monkeypatch.setattr(gpu_steps, "killed_and_resumed", lambda device: Finding(None, "it ended too early"))
    monkeypatch.setattr(gpu_steps, "throughput", lambda *asked: Finding(True, "90 % of the bare step", 0.03))
    monkeypatch.setattr(gpu_steps, "captured", lambda device: Finding(True, "equal"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--gpu-check"]) == 2
    said = capsys.readouterr().err
    assert "no GPU here; device=cpu rehearses" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("quick")
def test_the_page_and_the_file_hold_every_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--gpu-check", "device=cpu", "methods=magnitude", "--json", f"{tmp_path / 'page.json'}"]
    assert bench.main(words) == 0
    printed = capsys.readouterr().out
    assert "a rehearsal" in printed
    assert max(map(len, printed.splitlines())) <= 80
    content = json.loads((tmp_path / "page.json").read_text())
    names = [finding["name"] for finding in content["findings"]]
    assert names == ["magnitude: scores, mask", "captured step", "kill and resume", "throughput"]
    assert content["findings"][0]["holds"] is True
    assert content["findings"][2]["holds"] is None


@pytest.mark.usefixtures("quick")
def test_a_step_that_breaks_off_is_a_finding_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(device: torch.device) -> Finding:
        raise RuntimeError("illegal memory access\nand more")

    monkeypatch.setattr(gpu_steps, "captured", broken)
    assert gpu_check.main(["device=cpu", "methods=magnitude"]) == 1
    printed = capsys.readouterr().out
    assert "illegal memory" in printed
    assert "90 %" in printed


def test_a_device_with_other_scores_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_steps.agreement("magnitude", CPU).holds
    moved = torch.nn.Module.to
    monkeypatch.setattr(torch.nn.Module, "to", lambda net, *where: _shifted(moved(net, *where)))
    assert gpu_steps.agreement("magnitude", CPU).holds is False


def _shifted(net: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.01 * torch.arange(weight.numel()).view_as(weight) / weight.numel())
    return net


def test_the_weights_of_two_ways_to_step_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"layer": torch.ones(3)}
    others = iter([(weights, False), ({"layer": torch.full((3,), 1.1)}, False)])
    monkeypatch.setattr(gpu_steps, "_trained", lambda device, capturing: next(others))
    assert gpu_steps.captured(CPU).holds is False


class Process:
    """Stands in for a run that was started: it is there until it is killed or waited for."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest, self.ended = folder, digest, False
        training = folder / "trainings" / "t"
        training.mkdir(parents=True, exist_ok=True)
        (training / "checkpoint.safetensors").touch()

    def poll(self) -> int | None:
        return 0 if self.ended else None

    def kill(self) -> None:
        self.ended = True

    def wait(self) -> None:
        if not self.ended:
            record = {"digest": self.digest, "curve": []}
            (self.folder / "trainings" / "t" / "record.json").write_text(json.dumps(record))
        self.ended = True


@pytest.mark.parametrize(("after_the_kill", "holds"), [("a", True), ("b", False)])
def test_a_killed_run_must_end_as_one_that_was_not(
    after_the_kill: str, holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = iter(["a", "never written", after_the_kill])
    monkeypatch.setattr(gpu_steps, "_grid", lambda folder, device: Process(folder, next(digests)))
    assert gpu_steps.killed_and_resumed(CPU).holds is holds
