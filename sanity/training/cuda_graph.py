"""Records the whole training step as one CUDA graph, which the host launches in one call instead of some hundred."""

import logging
from collections.abc import Callable, Sequence

import torch

from sanity.training.optimizer import set_learning_rate
from sanity.training.step import LaunchedStep
from sanity.training.trainer import Trainer

log = logging.getLogger(__name__)


def capture(trainer: Trainer) -> None:
    """Lets `trainer` replay its full steps from a CUDA graph; a network that cannot be captured launches every kernel.

    The warm-up that capturing needs is undone, so the training is the same. A step that waits for the device shows in
    the warm-up: a capture that fails would leave torch's allocator and generator in a state that no later one survives.
    """
    with trainer.current(), trainer.rehearsal():
        step = CudaGraphStep(trainer)
        step.begin_epoch(trainer.rates, 0)
        try:
            step.capture()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("the step cannot be captured, its kernels are launched singly: %s", str(error).splitlines()[0])
            return
    trainer.stepper = step


class CudaGraphStep(LaunchedStep):
    """Takes a trainer's full steps by replaying a graph, and launches the kernels of a last batch that is not full.

    A graph does the same each time, so the number of the step is a counter on the device: the clock. It chooses the
    batch from the epoch's order and the learning rate from a table.

    replay: takes a full step; before `capture` it launches the kernels that a graph would record.
    """

    trainer: Trainer

    def __init__(self, trainer: Trainer) -> None:
        super().__init__(trainer)
        device = trainer.setting.device
        self.clock = torch.zeros(1, dtype=torch.int64, device=device)
        self.rate_table = torch.zeros(trainer.epochs.steps, device=device)
        self.offsets = torch.arange(trainer.setting.recipe.batch_size, device=device)
        self.replay: Callable[[], None] = self.recorded_step

    def begin_epoch(self, rates: Sequence[float], first: int) -> None:
        """Sets the clock to step `first` and the table to the learning rates."""
        super().begin_epoch(rates, first)
        self.rate_table.copy_(torch.tensor(rates))
        self.clock.fill_(first)

    def take(self, step: int) -> None:
        """Takes the step of that number, at which the clock stands."""
        if (step + 1) * len(self.offsets) <= len(self.trainer.indices[0]):
            self.replay()
        else:
            super().take(step)

    def recorded_step(self) -> None:
        """Takes a full step, whose number it reads from the clock, and advances the clock."""
        set_learning_rate(self.trainer.stacked_model.optimizer, self.rate_table.index_select(0, self.clock)[0])
        self.trainer.step(self.clock * len(self.offsets) + self.offsets)
        self.clock += 1

    def capture(self) -> None:
        """Records the graph. Raises `RuntimeError` for a step that cannot be recorded."""
        graph = torch.cuda.CUDAGraph()
        try:
            for waits in ("default", "default", "error"):
                torch.cuda.set_sync_debug_mode(waits)
                self.recorded_step()
                self.clock.zero_()
            torch.cuda.set_sync_debug_mode("default")
            with torch.cuda.graph(graph, stream=self.trainer.stream):
                self.recorded_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        self.replay = graph.replay
