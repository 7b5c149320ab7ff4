"""What is told in one line before anything is trained; and what is known of the machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sanity.config import from_mapping
from sanity.data import dataset, download
from sanity.errors import UserError
from sanity.grid import preparation
from sanity.grid.progress import Reporter
from sanity.grid.runner import Runner
from sanity.run import main, prepare, run

KEYS: dict[str, Any] = {
    "model": "lenet_300_100", "recipe.epochs": 1, "dataset.limit": 150, "dataset.test_limit": 100, "ratio": 0.5,
    "seeds": 0, "device": "cpu", "methods": "snip", "checks": "none",
}  # fmt: skip

OF_BUILD = ("name", "input_shape", "classes", "init", "generator", "again")
"""Parameters of what builds a network, which are no options of it."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"checks": "random_labels", "seeds": "0,1,2,3,4,5"},
            r"random_labels seed \d: class \d has \d examples",
        ),
        ({"checks": "density_of", "density_of.method": ""}, r"density_of\.method=: name the other method"),
        ({"checks": "positions_of", "positions_of.method": ""}, r"positions_of\.method=: name the other method"),
        ({"checks": "rearrange_kernels"}, "rearrange_kernels: no layer has kernels of more than one weight"),
        (
            {"checks": "layer_order", "snip.pattern": "2:4"},
            "layer_order moves kept weights from layer to layer one by one, which pattern=2:4 forbids",
        ),
        ({"checks": "half_dataset"}, "of what half_dataset leaves"),
        (
            {"methods": "partially_trained", "checks": "examples", "recipe.drop_last": True},
            r"examples seed 0: recipe.batch_size=\d+: with drop_last no batch of 10 examples .*what examples leaves",
        ),
        ({"checks": "one_class"}, r"one_class seed 0: 100 examples are asked .*has 15 \(of what one_class leaves\)"),
        ({"checks": "transfer"}, r"transfer\.dataset=digits: is the run's own data set"),
        ({"recipe.holdout": 0.5}, "100 examples are asked for scoring"),
        ({"recipe.holdout": 0.9}, "are asked for scoring"),
        ({"ratio": f"0.3,{0.1 + 0.2!r}"}, "ratio: 0.3 and 0.30000000000000004 are the same to 9 digits"),
        ({"recipe.crop_padding": 8}, "recipe.crop_padding=8: must be below 8, as the images are 8x8"),
        ({"recipe.epochs": 10**9}, "recipe.epochs=1000000000: .*100,?000"),
        ({"recipe.batch_size": 10**9}, "recipe.batch_size=1000000000: .*1,?000,?000"),
        ({"recipe.milestones": "inf"}, "recipe.milestones=inf: should be a finite number"),
        ({"snip.name": "x"}, "unknown option of snip 'name'"),
        ({"recipe.model": "x"}, "unknown option of recipe 'model'"),
        ({"dataset.name": "x"}, "unknown option of dataset digits 'name'"),
        ({"dataset.data_dir": "x"}, "unknown option of dataset digits 'data_dir'"),
        *(({f"model.{name}": "1"}, f"lenet_300_100 .*'{name}'") for name in OF_BUILD),
        ({"snip.scored_at": "2ep"}, "scored_at=2 lies beyond the 1 epochs"),
        ({"snip.scored_at": "9999it"}, r"scored_at=9999it lies beyond the 1 epochs \(\d+ iterations\)"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(from_mapping({**KEYS, **change}))


def test_a_split_without_examples_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(*words: Any, **options: Any) -> Any:
        train, test = dataset.load_by_name(*words, **options)
        return train, test.subset(torch.arange(0))

    monkeypatch.setattr(preparation, "load_by_name", empty)
    with pytest.raises(UserError, match="dataset=digits: its test split holds no examples"):
        prepare(from_mapping(KEYS))


def test_what_a_training_ran_on_is_in_its_record(tmp_path: Path, two_threads: None) -> None:
    frame = run({**KEYS, "methods": "random", "results_dir": str(tmp_path), "deterministic": True, "seeds": "0,1"})
    assert set(frame["threads"]) == {2}
    assert set(frame["side_by_side"]) <= {1, 2}
    assert set(frame["stacked"]) == {1}
    assert all(frame["cores"] >= 1)
    assert all("2 threads" in text for text in frame["device"])


def test_layers_keep_the_networks_order_when_a_mask_is_read(tmp_path: Path) -> None:
    keys = {
        **KEYS,
        "model": "resnet8",
        "methods": "random",
        "results_dir": str(tmp_path),
        "checks": "layerwise_shuffle",
    }
    control, shuffled = run(keys)["layers"]
    experiment, cells = prepare(from_mapping(keys))
    order = list(experiment.method(cells[0]).targets(experiment.initial(0)))
    assert list(control) == list(shuffled) == order != sorted(order)


def test_an_error_after_a_record_was_written_does_not_vanish(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Reporter):
        def finished(self, text: str) -> None:
            raise RuntimeError("the reporter broke")

    experiment, cells = prepare(from_mapping({**KEYS, "methods": "random", "results_dir": str(tmp_path)}))
    with pytest.raises(RuntimeError, match="the reporter broke"):
        Runner(experiment, Broken(0, None, None), lambda: False).run(cells)
    assert "the reporter broke" in caplog.text
    assert len(Runner(replace(experiment), Reporter(0, None, None), lambda: False).run(cells)) == 1


EXITS = """
import sys
from methods.base import Method
{before}
class Mine(Method):
    def saliency(self, net, batches, generator):
        sys.exit({code!r})
"""


@pytest.mark.parametrize("code", [0, 3, "bye"])
def test_a_method_that_calls_exit_is_a_failed_cell(
    code: int | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"exits_{code}"
    (tmp_path / f"{name}.py").write_text(EXITS.format(before="", code=code))
    monkeypatch.syspath_prepend(tmp_path)
    words = {**KEYS, "methods": f"{name}:Mine,random", "results_dir": tmp_path / "results"}
    assert main([f"{key}={value}" for key, value in words.items()]) == 1
    assert f"SystemExit: sys.exit({code!r})" in capsys.readouterr().err


def test_a_module_that_calls_exit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "exits_at_once.py").write_text(EXITS.format(before="sys.exit(0)", code=0))
    monkeypatch.syspath_prepend(tmp_path)
    words = {**KEYS, "methods": "exits_at_once:Mine", "results_dir": tmp_path / "results"}
    assert main([f"{key}={value}" for key, value in words.items()]) == 2
    assert "it ends the program (sys.exit(0))" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_plan_downloads_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "_fetch", lambda *_: pytest.fail("a download was started"))
    words = [f"dataset={name}", f"data_dir={tmp_path}", "dry_run=true", "model=lenet_300_100", "methods=random"]
    assert main([*words, "dataset.limit=1000", "seeds=0-29"]) == 0
    printed = capsys.readouterr().out
    assert "random: 60 cells, 60 to train" in printed
    assert "epochs of 1000 examples" in printed
    assert f"The data are not in data_dir={tmp_path}: counted by their published numbers" in printed
    assert " measured, if one" not in printed
