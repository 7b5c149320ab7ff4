"""A training step on a device apart from the CPU: it mixes nothing and waits for no value."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException

from sanity.invariants.meta_device import DEVICE, Mixed, on_meta_device
from sanity.recipes import Recipe
from sanity.training import stacked_model
from sanity.training.checkpoint import Checkpoint
from sanity.training.cuda_graph import CudaGraphStep
from sanity.training.job import TrainingSpec
from sanity.training.optimizer import make_optimizer
from sanity.training.setting import Setting
from sanity.training.stacked_linear import stack
from sanity.training.trainer import Trainer
from tests.training.nets import digits, half_mask, tiny_conv, tiny_mlp

RECIPE = Recipe(batch_size=16, schedule="cosine", crop_padding=1, flip=True, weight_decay=1e-3)
NETS = [(tiny_conv, 1, 0.5), (tiny_mlp, 1, 0.5), (tiny_mlp, 3, 0.5), (tiny_mlp, 3, 0.1)]


@pytest.fixture(autouse=True)
def _without_what_knows_real_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast, and fused optimizers (torch's own, hence left out)."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    make = make_optimizer

    def with_rates_on_the_device(recipe: Recipe, module: nn.Module, device: torch.device, vectors: Any) -> Any:
        optimizer = make(recipe, module, device, vectors)
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(recipe.lr, device=device)
        monkeypatch.setattr(optimizer, "step", lambda: None)
        return optimizer

    monkeypatch.setattr(stacked_model, "make_optimizer", with_rates_on_the_device)


@contextmanager
def trainer_on_meta_device(
    build: Any, tickets: int, density: float, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Trainer]:
    """Put together on the CPU, as always, from real weights and masks, and moved."""
    models = [build(seed) for seed in range(tickets)]
    masks = [half_mask(model, seed, density) for seed, model in enumerate(models)]
    stacked, splits = stack(models, masks), digits()
    monkeypatch.setattr(stacked_model, "stack", lambda *_: stacked)
    with on_meta_device():
        jobs = [
            TrainingSpec(model.to(DEVICE), mask, seed)
            for seed, (model, mask) in enumerate(zip(models, masks, strict=True))
        ]
        train, test = (split.to(DEVICE) for split in splits)
        layout = torch.channels_last if build is tiny_conv else torch.contiguous_format
        setting = Setting(train, test, RECIPE, DEVICE, "fp32", layout)
        yield Trainer(jobs, setting, [""] * tickets, [Checkpoint()] * tickets)


@pytest.mark.parametrize(("build", "tickets", "density"), NETS)
def test_a_step_stays_on_the_device_and_needs_no_value(
    build: Any, tickets: int, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trainer_on_meta_device(build, tickets, density, monkeypatch) as trainer:
        trainer.begin_epoch()
        trainer.take_step()
        recorded = trainer.stepper = CudaGraphStep(trainer)
        trainer.begin_epoch()
        trainer.take_step()
        assert {trainer.sums.device, recorded.clock.device, trainer.test().device} == {DEVICE}
        with pytest.raises(DataDependentOutputException):
            trainer.end_epoch()  # accuracies are read once an epoch


@pytest.mark.parametrize(
    ("leak", "says"),
    [
        (lambda sums: sums.sum().item(), DataDependentOutputException),
        (lambda sums: sums + torch.ones(2, 1), Mixed),
        (lambda sums: sums.normal_(generator=torch.Generator()), Mixed),
    ],
)
def test_a_step_that_waits_or_mixes_would_be_noticed(
    leak: Any, says: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trainer, "_count", lambda *_: leak(torch.zeros(2, 1, device=DEVICE)))
    with pytest.raises(says), trainer_on_meta_device(tiny_conv, 1, 0.5, monkeypatch) as trainer:
        trainer.step(slice(16))
