"""The step that a CUDA graph records is the step that is launched, in one trainer and in several."""

from typing import Any

import pytest
import torch

from sanity.recipes import Recipe
from sanity.training.checkpoint import Checkpoint
from sanity.training.cuda_graph import CudaGraphStep
from sanity.training.loop import TrainingSpec
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer
from tests.training.nets import NO_GPU, digits, half_mask, tiny_conv, tiny_mlp, trained


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
@pytest.mark.parametrize("build", [tiny_conv, tiny_mlp])
def test_the_step_that_a_graph_records_is_the_step(build: Any, optimizer: Any) -> None:
    """Run without a graph: the step finds its batch and rate by a counter on the device, after a rehearsal undone."""
    recipe = Recipe(epochs=1, batch_size=16, schedule="cosine", crop_padding=1, optimizer=optimizer)
    setting = Setting(*digits(), recipe, torch.device("cpu"), "fp32")
    trainers = [
        Trainer([TrainingSpec(build(), half_mask(build()), 0)], setting, [""], [Checkpoint()]) for _ in range(2)
    ]
    recorded = trainers[1].stepper = CudaGraphStep(trainers[1])
    with trainers[1].rehearsal():
        for _ in range(3):
            trainers[1].take_step()
    for trainer in trainers:
        trainer.begin_epoch()
        for _ in range(trainer.steps):
            trainer.take_step()
        trainer.end_epoch()
    first, second = (trainer.results()[0] for trainer in trainers)
    torch.testing.assert_close(first.weights, second.weights, rtol=1e-6, atol=1e-7)
    assert first.curve[0] == pytest.approx(second.curve[0], rel=1e-6)
    assert int(recorded.clock) == 6


@NO_GPU
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_captured_trainers_in_streams_of_their_own_train_as_launched_ones(optimizer: Any, precision: str) -> None:
    recipe = Recipe(epochs=2, batch_size=16, lr=0.02, crop_padding=1, optimizer=optimizer)
    jobs = [TrainingSpec(tiny_conv(seed), half_mask(tiny_conv(seed)), seed) for seed in range(3)]
    cuda = torch.device("cuda")
    setting = Setting(digits()[0].to(cuda), digits()[1].to(cuda), recipe, cuda, precision)
    launched = []
    for job in jobs:
        with numerics(cuda, precision, deterministic=False):
            trainer = Trainer([job], setting, [""], [Checkpoint()])
            while not trainer.done:
                with trainer.current():
                    trainer.begin_epoch()
                    for _ in range(trainer.steps):
                        trainer.take_step()
                    trainer.end_epoch()
            launched.append(trainer.results()[0])
    captured = trained(jobs, recipe, device="cuda", precision=precision, runs_per_device=3)
    measured = trained(jobs, recipe, device="cuda", precision=precision)
    for one, other, third in zip(launched, captured, measured, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.weights, third.weights, rtol=1e-3, atol=1e-4)
