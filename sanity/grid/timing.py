"""Measures on this machine what a step and a test of the network take, for the hours that a plan announces."""

import time
from dataclasses import dataclass

import torch

from sanity.grid.experiment import Experiment
from sanity.training.checkpoint import Checkpoint
from sanity.training.job import TrainingSpec
from sanity.training.memory_format import memory_format
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer

STEPS = 20
_ENOUGH_S = 20.0  # of a network so slow that fewer steps tell what one takes


@dataclass(frozen=True)
class Pace:
    """Holds the seconds of a training step, and those of a test that ends an epoch; `steps` were measured."""

    step: float
    test: float
    steps: int

    def seconds(self, epochs: float, steps: int) -> float:
        """Returns what so many epochs of so many steps take, one network at a time."""
        return epochs * (steps * self.step + self.test)


def measured(experiment: Experiment) -> Pace:
    """Trains the dense network for 20 steps, or as many as 20 seconds allow, and tests it once."""
    net = experiment.initial(experiment.config.first_seeds[0])
    recipe, device = experiment.recipe_for_loop, experiment.device
    layout = memory_format(net, experiment.train.input_shape, device)
    setting = Setting(experiment.train, experiment.test, recipe, device, experiment.precision, layout)
    with numerics(device, experiment.precision, experiment.config.deterministic):
        trainer = Trainer([TrainingSpec(net, None, seed=0)], setting, [""], [Checkpoint()])
        with trainer.rehearsal():
            _step(trainer)  # the first one of a process is slow
            began, taken = time.perf_counter(), 0
            while taken < STEPS and (not taken or time.perf_counter() - began < _ENOUGH_S):
                _step(trainer)
                taken += 1
            step = _since(began, device) / taken
            began = time.perf_counter()
            trainer.test()
            return Pace(step, _since(began, device), taken)


def _step(trainer: Trainer) -> None:
    if trainer.taken == trainer.steps:
        trainer.taken = 0
        trainer.begin_epoch()
    trainer.take_step()


def _since(began: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
