"""Takes the steps of `sanity.bench --gpu-check`: each compares what a device does with what it must do."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import methods
from sanity import models
from sanity.bench.loops import BARE, OURS
from sanity.bench.measurement import measure
from sanity.bench.options import Bench
from sanity.data.dataset import load
from sanity.masks import prunable
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.checkpoint import Checkpoint
from sanity.training.cuda_graph import CudaGraphStep, capture
from sanity.training.job import TrainingSpec
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer

CLOSE = 1e-4
"""How far scores may differ, relative to the largest of their layer."""
SAME_MASK = 0.999
"""The share of a mask's entries that must be the same; scores that nearly tie may change places."""
OF_THE_FLOOR = 0.85
"""The share of a training step that forward, backward and optimizer must have."""
GRID = ("methods=snip", "ratio=0.9", "seeds=0", "model=lenet_300_100", "recipe.epochs=12", "dataset.limit=400",
        "dataset.test_limit=100", "deterministic=true", "checkpoint_minutes=0")  # fmt: skip
WAIT_S = 120.0


@dataclass(frozen=True)
class Finding:
    """Holds what one step found.

    holds: whether it is as it must be; None where that could not be told. text: the figures. spread: of repeated
    figures, as a share. data: the figures for JSON. name, seconds: of the step.
    """

    holds: bool | None
    text: str
    spread: float = 0.0
    data: tuple[tuple[str, Any], ...] = ()
    name: str = ""
    seconds: float = 0.0

    def named(self, name: str, seconds: float) -> "Finding":
        """Returns the finding with the name and the duration of its step."""
        return replace(self, name=name, seconds=seconds)


def agreement(name: str, device: torch.device) -> Finding:
    """Compares a method's scores and mask on the device with those on the CPU, on ResNet-8 and random images."""
    source = generator(0, "gpu-check")
    net = models.build("resnet8", (3, 32, 32), 10, generator=source)
    batches = [(torch.randn(64, 3, 32, 32, generator=source), torch.arange(64) % 10)]
    method = methods.get(name)
    moved = copy.deepcopy(net).to(device)
    there = [(images.to(device), targets.to(device)) for images, targets in batches]
    scores, other_scores = method.score(net, batches), method.score(moved, there)
    off = max(_difference(score, other_scores[key].cpu()) for key, score in scores.items())
    mask, other_mask = method.mask(net, batches, 0.9), method.mask(moved, there, 0.9)
    same = sum(int((layer == other_mask[key].cpu()).sum()) for key, layer in mask.items())
    share = same / sum(layer.numel() for layer in mask.values())
    text = f"scores within {off:.0e}, {100 * share:.3f} % of the mask equal"
    return Finding(off <= CLOSE and share >= SAME_MASK, text, data=(("difference", off), ("same_mask", share)))


def _difference(score: Tensor, other: Tensor) -> float:
    return float((score - other).abs().max() / score.abs().max().clamp_min(torch.finfo(score.dtype).tiny))


def captured(device: torch.device) -> Finding:
    """Trains a pruned network by captured steps and by launched ones, and compares the weights after two epochs."""
    launched, _ = _trained(device, capturing=False)
    replayed, is_captured = _trained(device, capturing=device.type == "cuda")
    off = max(float((weight - replayed[key]).abs().max()) for key, weight in launched.items())
    close = all(torch.allclose(weight, replayed[key], rtol=1e-3, atol=1e-4) for key, weight in launched.items())
    text = f"weights after two epochs within {off:.0e}"
    if device.type != "cuda":
        return Finding(close, f"{text} (launched twice: a CPU captures no steps)")
    holds = close and is_captured
    return Finding(holds, text if is_captured else f"{text}, but the step was not captured", data=(("off", off),))


def _trained(device: torch.device, capturing: bool) -> tuple[dict[str, Tensor], bool]:
    """Returns weights after two epochs on digits, and whether the steps were replayed from a CUDA graph."""
    net = models.build("resnet8", (1, 8, 8), 10, generator=generator(0, "gpu-check"))
    source = generator(1, "gpu-check")
    mask = {name: torch.rand(weight.shape, generator=source) < 0.5 for name, weight in prunable(net).items()}
    train, test = (part.to(device) for part in load("digits", limit=400, test_limit=100))
    recipe = Recipe(epochs=2, batch_size=16, lr=0.02, crop_padding=1)
    with numerics(device, "fp32", deterministic=False):
        trainer = Trainer(
            [TrainingSpec(net, mask, 0)], Setting(train, test, recipe, device, "fp32"), [""], [Checkpoint()]
        )
        if capturing:
            capture(trainer)
        while not trainer.done:
            with trainer.current():
                trainer.begin_epoch()
                for _ in range(trainer.steps):
                    trainer.take_step()
                trainer.end_epoch()
        weights = {key: value.cpu() for key, value in trainer.results()[0].weights.items() if value.is_floating_point()}
        return weights, isinstance(trainer.stepper, CudaGraphStep)


def killed_and_resumed(device: torch.device) -> Finding:
    """Kills a small grid once it has a checkpoint, lets it go on, and compares it with one that nothing stopped."""
    with tempfile.TemporaryDirectory() as folder:
        whole, stopped = Path(folder, "whole"), Path(folder, "stopped")
        _grid(whole, device).wait()
        run = _grid(stopped, device)
        began = time.monotonic()
        while run.poll() is None and not _checkpoints(stopped) and time.monotonic() - began < WAIT_S:
            time.sleep(0.005)
        was_killed = run.poll() is None
        run.kill()
        run.wait()
        _grid(stopped, device).wait()
        expected, outcome = _outcome(whole), _outcome(stopped)
    equal = outcome == expected and bool(expected)
    how = "equal to the bit" if equal else "NOT equal"
    if not was_killed:
        return Finding(None if equal else False, f"it ended before it could be killed; trainings {how}")
    return Finding(equal, f"{len(expected)} trainings {how} after a kill at a checkpoint")


def _grid(folder: Path, device: torch.device) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "sanity.run", *GRID, f"device={device}", f"results_dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


def _checkpoints(folder: Path) -> bool:
    return any(folder.glob("trainings/*/checkpoint.safetensors"))


def _outcome(folder: Path) -> dict[str, tuple[str, list[object]]]:
    records = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("trainings/*/record.json")}
    return {name: (record["digest"], record["curve"]) for name, record in records.items()}


def throughput(model: str, batch: int, tickets: int, seconds: float, device: torch.device) -> Finding:
    """Measures one and many trainings, and their share of the bare step."""
    asked = Bench(
        model=model, batch=batch, tickets=tickets, seconds=seconds, turns=3, device=str(device), reference=False
    )
    rows = measure(asked)
    ours = [row for row in rows if row.name == OURS]
    shares = [1 - (row.overhead or 0.0) for row in ours]
    parts = [
        f"{row.tickets} x {row.precision}: {row.images_per_s:.0f} images/s, {100 * share:.0f} % of the bare step"
        for row, share in zip(ours, shares, strict=True)
    ]
    spread = max(row.spread for row in rows)
    data = tuple((f"{row.name} {row.precision} {row.tickets}", row.images_per_s) for row in rows if row.name != BARE)
    return Finding(min(shares) >= OF_THE_FLOOR, "; ".join(parts), spread, data)
