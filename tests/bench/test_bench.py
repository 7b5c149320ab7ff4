"""The benchmark's figures on a network of few weights, its mistakes, and that the plain loop learns as ours."""

import json
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from sanity.bench import __main__ as bench
from sanity.bench import loops
from sanity.bench.image_shape import ImageShape
from sanity.bench.measurement import measure
from sanity.bench.options import Bench
from sanity.bench.plain_loop import ReferenceLoop
from sanity.data.dataset import load as load_dataset
from sanity.models.base import Model
from sanity.prunable import prunable
from sanity.recipes import Recipe
from sanity.training.compute import Compute
from sanity.training.loop import TrainingSpec, train
from tests.training.nets import digits, half_mask, tiny_conv, tiny_mlp

SMALL = ["model=lenet_300_100", "shape=1x8x8", "batch=8", "seconds=0.01", "turns=2", "device=cpu", "precision=bf16"]


def test_every_loop_is_measured_and_the_ratios_are_those_of_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([*SMALL, "tickets=3", "--json", f"{tmp_path / 'figures.json'}"]) == 0
    content = json.loads((tmp_path / "figures.json").read_text())
    rows = content["figures"]
    assert [(row["name"], row["precision"], row["tickets"]) for row in rows] == [
        ("reference loop", "fp32", 1),
        *((name, kind, tickets) for kind in ("fp32", "bf16") for tickets in (1, 3) for name in ("ours", "bare step")),
    ]
    for row in rows:
        assert row["images_per_s"] == pytest.approx(8 * row["tickets"] / row["ms_per_step"] * 1000)
        assert 50 < row["peak_mb"] < 20_000
    floor = next(row for row in rows if row["name"] == "bare step")
    assert rows[0]["overhead"] == pytest.approx(1 - floor["ms_per_step"] / rows[0]["ms_per_step"])
    assert content["asked"]["model"] == "lenet_300_100"
    assert content["torch"] == torch.__version__
    assert content["busyness"]["spread"] == max(row["spread"] for row in rows)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    starts = ("reference", "ours", "bare")
    rows_printed = [line.split() for line in printed.splitlines() if line.strip().startswith(starts)]
    assert len(rows_printed) == len(rows)
    for row, words in zip(rows, rows_printed, strict=True):
        assert f"{row['ms_per_step']:.2f}" in words


def test_a_file_without_a_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--json"]) == 2
    assert "--json: name the file" in capsys.readouterr().err


def test_the_plain_loop_may_be_left_out() -> None:
    figures = measure(Bench(model="lenet_300_100", shape=ImageShape((1, 8, 8)), batch=4, reference=False, seconds=0.01))
    assert {one.name for one in figures} == {"ours", "bare step"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["model=lenet_300_10"], "Did you mean 'lenet_300_100'"),
        (["batches=3"], "Did you mean 'batch'"),
        (["shape=3x32"], "bench.shape"),
        (["batch"], "'batch' is not key=value"),
        (["device=cuda:77"], "device=cuda:77"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {word.partition("=")[0] for word in words}
    assert bench.main([*(word for word in SMALL if word.partition("=")[0] not in keys), *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_the_help_names_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--help"]) == 0
    assert "tickets" in capsys.readouterr().out


def test_the_plain_loop_keeps_pruned_weights_at_zero() -> None:
    model = tiny_conv()
    mask = {name: keep for name, keep in half_mask(model).items() if name.endswith("weight")}
    recipe = Recipe(batch_size=16, weight_decay=1e-3, crop_padding=1, flip=True)
    torch.manual_seed(0)  # torchvision draws crops and flips from torch's own generator
    loop = ReferenceLoop(model, mask, digits()[0], recipe, torch.device("cpu"))
    steps = loop.steps()
    losses = [next(steps) for _ in range(60)]
    assert statistics.mean(losses[-7:]) < statistics.mean(losses[:7])
    for name, parameter in loop.model.named_parameters():
        if name in mask:
            assert torch.count_nonzero(parameter[~mask[name]]) == 0
            assert torch.count_nonzero(parameter[mask[name]]) == mask[name].sum()


SIX_EPOCHS = Recipe(epochs=6, batch_size=32, milestones=(4,), weight_decay=1e-4)
SEEDS = range(4)


@cache
def accuracies_of_the_plain_loop() -> list[float]:
    """A test accuracy a seed; the loop has one precision."""
    splits, accuracies = load_dataset("digits"), []
    for seed in SEEDS:
        model = tiny_mlp(seed)
        loop = ReferenceLoop(model, half_mask(model, seed), splits[0], SIX_EPOCHS, torch.device("cpu"), seed)
        steps = loop.steps()
        for _ in range(6 * -(-len(splits[0]) // 32)):
            next(steps)
        accuracies.append(loop.accuracy(splits[1]))
    return accuracies


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_loops_reach_the_same_accuracy_within_the_noise_of_seeds(precision: str) -> None:
    plain, jobs = accuracies_of_the_plain_loop(), []
    for seed in SEEDS:
        mask = half_mask(model := tiny_mlp(seed), seed)
        jobs.append(TrainingSpec(model, {name: keep for name, keep in mask.items() if name.endswith("weight")}, seed))
    trained = train(jobs, *load_dataset("digits"), SIX_EPOCHS, Compute("cpu", precision))
    ours = [result.curve[-1]["test_accuracy"] for result in trained]
    spread = max(statistics.stdev(plain), statistics.stdev(ours))
    assert statistics.mean(plain) > 85
    assert abs(statistics.mean(plain) - statistics.mean(ours)) < 2 * spread / 2 + 1


@dataclass(frozen=True)
class Attention(Model):
    """1-D convolution and attention"""

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        return AttentionNet(classes)


class AttentionNet(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first, self.attention = nn.Conv1d(8, 8, 1), nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Linear(8, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        words = self.first(images.flatten(1).view(len(images), 8, 8))
        mixed: torch.Tensor = self.last(self.attention(words, words, words, need_weights=False)[0].mean(1))
        return mixed


def test_the_loops_mask_all_that_can_be_pruned() -> None:
    asked = Bench(model=f"{__name__}:Attention", shape=ImageShape((1, 8, 8)), batch=8, density=0.5, augment=False)
    job = loops._job(asked, 0)
    assert job.mask is not None
    assert list(job.mask) == list(prunable(job.model))
    recipe = Recipe(batch_size=8, lr=0.1)
    loop = ReferenceLoop(job.model, job.mask, loops._random_images(asked), recipe, torch.device("cpu"))
    steps = loop.steps()
    next(steps), next(steps)
    weights = dict(loop.model.named_parameters())
    assert all(not weights[name][~kept].any() for name, kept in job.mask.items())
