"""The command line: one clear line for a mistake, a table of numbers that ran, nothing trained twice."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sanity.run import main, run
from sanity.store import commands
from tests.small_runs import TINY, Start, records


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"metods": "snip"}, "unknown key 'metods'. Did you mean 'methods'?"),
        ({"methods": "snipp"}, "unknown method 'snipp'. Did you mean 'snip'?"),
        ({"checks": "layerwise_rearange"}, "unknown check 'layerwise_rearange'. Did you mean 'layerwise_rearrange'?"),
        ({"checks": "reinit+reinit"}, "names a part twice"),
        ({"model": "resnt20"}, "unknown model 'resnt20'. Did you mean 'resnet20'?"),
        ({"dataset": "cifar11", "dataset__limit": "10"}, "unknown dataset 'cifar11'. Did you mean 'cifar10'?"),
        ({"recipe": "quik"}, "unknown recipe 'quik'. Did you mean 'quick'?"),
        ({"recipe__epoch": "3"}, "unknown option of recipe 'epoch'. Did you mean 'epochs'?"),
        ({"variant": "su2021", "methods": "snip"}, "Did you mean 'su2020'?"),
        ({"methods": "snip@lee2018"}, "Did you mean 'lee2019'?"),
        ({"snip__batch_norms": "batch"}, "Did you mean 'batch_norm'?"),
        ({"snip__batch_norm": "bach"}, "snip.batch_norm=bach"),
        ({"grasp__temperature": "100"}, "grasp is neither among the methods nor among the checks"),
        ({"init": "keiming_fan_in"}, "Did you mean 'kaiming_fan_in'?"),
        ({"ratio": "1"}, "less than 1"),
        ({"ratio": "0"}, "greater than 0"),
        ({"ratio": "-0.5"}, "greater than 0"),
        ({"ratio": "98"}, "less than 1"),
        ({"ratio": "nan"}, "ratio="),
        ({"ratio": "a"}, "ratio=a"),
        ({"ratio": "0.9999999"}, "leaves none of the"),
        ({"methods": "random_tickets", "ratio": "0.9999"}, "smart_ratio keeps"),
        ({"seeds": "0,x"}, "seeds=x"),
        ({"seeds": "1.5"}, "seeds=1.5"),
        ({"seeds": "-1"}, "seeds=-1"),
        ({"seeds": "0,0"}, "names 0 twice"),
        ({"seeds": ""}, "has an empty element"),
        ({"seeds": "0,00"}, "seeds: names 0 twice"),
        ({"ratio": "0.9,9e-1"}, "ratio: names 0.9 twice"),
        ({"methods": "os:path"}, "os:path is neither a class nor a function"),
        ({"methods": ":x"}, "cannot be loaded"),
        ({"methods": "pathlib:Path"}, "pathlib:Path"),
        ({"init": "os:path"}, "is no class"),
        ({"device": "meta"}, "device=meta: not supported"),
        ({"methods": "partially_trained", "partially_trained__rewind": "fine_tune"}, "set recipe.schedule=steps"),
        ({"report_dir": "/proc/none"}, "report_dir=/proc/none: cannot be written"),
        ({"device": "cuda:7"}, "device=cuda:7"),
        ({"device": "gpu"}, "device=gpu"),
        ({"precision": "fp8"}, "precision=fp8"),
        ({"snip__examples_per_class": "5000"}, "examples are asked for"),
        (
            {"methods": "partially_trained", "partially_trained__rewind_epoch": "5"},
            "rewind_epoch=5 lies beyond the 2 epochs",
        ),
        ({"dataset": "mnist", "data_dir": "/nonexistent", "dataset__download": "false"}, "/nonexistent"),
        ({"dataset": "imagefolder", "data_dir": "/nonexistent"}, "/nonexistent"),
        ({"results_dir": "/proc/none"}, "results_dir=/proc/none: cannot be written"),
        ({"log": "/proc/none/log"}, "log=/proc/none/log: cannot be written"),
        ({"margin": "0"}, "margin=0: "),
        ({"recipe__batch_size": "300", "recipe__drop_last": "true"}, "recipe.batch_size=300: with drop_last"),
        ({"model": "vgg11", "recipe__batch_size": "199"}, "the last batch of 200 examples holds one"),
        ({"model": "vgg11", "recipe__batch_size": "1"}, "recipe.batch_size=1: the last batch"),
    ],
)
def test_a_mistake_is_one_line_and_trains_nothing(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, str], says: str
) -> None:
    assert start(**keys) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert says in lines[0]
    assert not records(tmp_path)


def test_a_word_without_equals_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snip"]) == 2
    assert "'snip' is not key=value" in capsys.readouterr().err


def test_an_unreadable_image_is_named(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            folder = tmp_path / "images" / split / kind
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), "red" if kind == "cat" else "blue").save(folder / "0.png")
    broken = tmp_path / "images" / "train" / "dog" / "1.png"
    broken.write_bytes(b"no image")
    keys = {"dataset": "imagefolder", "data_dir": str(tmp_path / "images"), "dataset__cache": "false"}
    assert start(**keys) == 2
    assert str(broken) in capsys.readouterr().err


def test_every_number_comes_from_a_training_and_none_runs_twice(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start() == 0
    first = capsys.readouterr().out
    trained = {path: path.stat().st_mtime_ns for path in records(tmp_path)}
    assert len(trained) == 4
    accuracies = [json.loads(path.read_text())["last_test_accuracy"] for path in trained]
    table = " ".join(first.split())
    assert "none" in table
    assert "layerwise_rearrange" in table
    assert start() == 0
    assert {path: path.stat().st_mtime_ns for path in records(tmp_path)} == trained
    assert capsys.readouterr().out == first
    frame = run({**TINY, "results_dir": str(tmp_path / "results")})
    assert sorted(frame["last_test_accuracy"]) == sorted(accuracies)
    report = next((tmp_path / "results" / "reports").iterdir())
    mean = frame[frame["check"] == "none"]["last_test_accuracy"].mean()
    assert f"{mean:.2f}" in (report / "report.md").read_text()
    assert f"{mean:.2f}" in (report / "report.html").read_text()


def test_a_larger_grid_trains_only_what_is_new(start: Start, tmp_path: Path) -> None:
    assert start(seeds="0") == 0
    before = set(records(tmp_path))
    assert start(seeds="0,1", checks="layerwise_rearrange,reinit") == 0
    assert before < set(records(tmp_path))
    assert len(records(tmp_path)) == 6


def test_dry_run_runs_nothing(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(dry_run="true", methods="dense,snip,synflow,partially_trained", checks="random_labels,reinit") == 0
    said = capsys.readouterr().out
    assert "synflow 90 % random_labels seed 0: shares the training of: synflow 90 % none seed 0" in said
    assert re.search(r"snip 90 % random_labels seed 0: trains", said)
    assert re.search(r"About [\d.]+ (m?s|min).* by 20 steps that were measured", said)
    assert "4 of them dense networks" not in said  # the clean one is the cell of its own
    assert not (tmp_path / "results").exists()


def test_the_plan_counts_what_is_then_trained(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"methods": "dense,snip,random,partially_trained", "checks": "random_labels,layerwise_shuffle", "seeds": "0"}
    assert start(dry_run="true", **keys) == 0
    ahead = int(re.search(r"(\d+) trainings ahead", capsys.readouterr().out).group(1))  # type: ignore[union-attr]
    assert start(**keys) == 0
    assert len(records(tmp_path)) == ahead
    assert start(dry_run="true", **keys) == 0
    assert "0 trainings ahead" in capsys.readouterr().out


def test_a_record_says_how_it_was_made(start: Start, tmp_path: Path) -> None:
    assert start(seeds="0", checks="none", methods="random") == 0
    folder = records(tmp_path)[0].parent
    record = json.loads((folder / "record.json").read_text())
    assert len(record["curve"]) == 2
    assert set(record["curve"][0]) >= {"epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    assert record["last_test_accuracy"] == record["curve"][-1]["test_accuracy"]
    assert record["best_test_accuracy"] == max(row["test_accuracy"] for row in record["curve"])
    assert record["versions"]["torch"] == version("torch")
    for name in ("digest", "device", "precision", "wall_s", "seed", "recipe"):
        assert record[name] is not None
    assert not list(folder.glob("*checkpoint*"))
    assert {path.name for path in folder.iterdir()} == {
        "record.json",
        "curve.csv",
        "mask.safetensors",
        "weights.safetensors",
    }
    assert len(pd.read_csv(folder / "curve.csv")) == 2


def test_the_final_network_is_exactly_as_sparse_as_asked(start: Start, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    assert start(seeds="0", checks="none", ratio="0.95") == 0
    folder = records(tmp_path)[0].parent
    weights, mask = load_file(folder / "weights.safetensors"), load_file(folder / "mask.safetensors")
    assert sum(int(layer.sum()) for layer in mask.values()) == round(
        0.05 * sum(layer.numel() for layer in mask.values())
    )
    assert all(not weights[name][~layer].any() for name, layer in mask.items())
    frame = run({**TINY, "seeds": 0, "checks": "none", "ratio": 0.95, "results_dir": str(tmp_path / "results")})
    assert frame["kept"].item() == sum(int(layer.sum()) for layer in mask.values())
    assert frame["actual_ratio"].item() == pytest.approx(0.95, abs=1e-4)


def test_help_needs_no_torch_and_names_everything() -> None:
    code = "import sys; from sanity.run import main; main(['--help'])"
    code += "; assert not {'torch', 'pandas', 'matplotlib'} & {*sys.modules}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("checkpoint_minutes", "hybrid_tickets", "layerwise_shuffle", "resnet110", "tiny_imagenet", "su2020"):
        assert name in said


@pytest.mark.parametrize("name", ["snip", "random_pixels", "resnet32", "imagefolder", "lee2019", "he"])
def test_help_about_one_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", name]) == 0
    assert name in capsys.readouterr().out


def test_only_commands_that_make_a_record_are_kept_as_what_trained(tmp_path: Path, start: Start) -> None:
    """A part of a grid that is stored trains nothing, however it is asked for; further seeds do."""
    words = {"methods": "random", "recipe__epochs": "1"}
    assert start(**words, seeds="0,1") == 0
    (first,) = commands.commands(tmp_path / "results")
    assert start(**words, seeds="1") == 0
    assert start(**words, seeds="0,1", margin="1") == 0
    assert commands.commands(tmp_path / "results") == [first]
    assert start(**words, seeds="auto", max_seeds="2") == 0
    assert commands.commands(tmp_path / "results") == [first]
    assert start(**words, seeds="2-2") == 0
    assert len(commands.commands(tmp_path / "results")) == 2
