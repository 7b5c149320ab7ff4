"""Measures on this machine what a step and a test of the network take, for the hours that a plan announces."""

import time
from dataclasses import dataclass

import torch

from sanity.grid.experiment import Experiment
from sanity.store.processes import without_a_core
from sanity.training.checkpoint import Checkpoint
from sanity.training.job import TrainingSpec
from sanity.training.memory_format import memory_format
from sanity.training.precision import numerics
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer

STEPS = 20
_ENOUGH_S = 20.0  # of a network so slow that fewer steps tell what one takes


SLOWED = 1.1
"""By the clock, work that takes more than so many times its own seconds was held up by other work on the machine."""


@dataclass(frozen=True)
class Duration:
    """Holds what some work takes.

    clock: seconds by the clock. own: without those in which the process was ready and other work had the cores; where
        the system does not tell these, the same.
    """

    clock: float
    own: float

    @property
    def is_slowed(self) -> bool:
        """Whether other work on the machine made it longer."""
        return self.clock > SLOWED * self.own


@dataclass(frozen=True)
class Pace:
    """Holds what a training step takes, and a test that ends an epoch; `steps` were measured."""

    step: Duration
    test: Duration
    steps: int

    def of(self, epochs: float, steps: int) -> Duration:
        """Returns what so many epochs of so many steps take, one network at a time."""
        return Duration(
            epochs * (steps * self.step.clock + self.test.clock), epochs * (steps * self.step.own + self.test.own)
        )


class Stopwatch:
    """Measures from when it is made, by the clock and without the seconds that other work took."""

    def __init__(self) -> None:
        self._waited, self._began = without_a_core(), time.perf_counter()

    def seconds(self) -> float:
        """Returns the seconds by the clock so far."""
        return time.perf_counter() - self._began

    def read(self, device: torch.device, times: int = 1) -> Duration:
        """Waits for the work on the device and returns what one of so many alike took."""
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        clock, waited = self.seconds(), without_a_core()
        lost = 0.0 if waited is None or self._waited is None else waited - self._waited
        return Duration(clock / times, max(clock - lost, 0.0) / times)


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
            watch, taken = Stopwatch(), 0
            while taken < STEPS and (not taken or watch.seconds() < _ENOUGH_S):
                _step(trainer)
                taken += 1
            step = watch.read(device, taken)
            watch = Stopwatch()
            trainer.test()
            return Pace(step, watch.read(device), taken)


def _step(trainer: Trainer) -> None:
    if trainer.taken == trainer.steps:
        trainer.taken = 0
        trainer.begin_epoch()
    trainer.take_step()
