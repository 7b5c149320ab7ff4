"""The whole training step as one CUDA graph: the host launches it in one call instead of some hundred."""

import logging

import torch

from sanity.training.trainer import Trainer

log = logging.getLogger(__name__)


def capture(trainer: Trainer) -> None:
    """Lets `trainer` replay its full steps from a CUDA graph; a network that cannot be captured launches every kernel.

    The warm-up that capturing needs is undone, so the training is the same. A step that waits for the device shows in
    the warm-up: a capture that fails would leave torch's allocator and generator in a state that no later one survives.
    """
    with trainer.current(), trainer.rehearsal():
        graph = torch.cuda.CUDAGraph()
        try:
            for waits in ("default", "default", "error"):
                torch.cuda.set_sync_debug_mode(waits)
                trainer.recorded_step()
                trainer.clock.zero_()
            torch.cuda.set_sync_debug_mode("default")
            with torch.cuda.graph(graph, stream=trainer.stream):
                trainer.recorded_step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            trainer.stacked_model.optimizer.zero_grad(set_to_none=True)  # of a step that broke off
            log.warning("the step cannot be captured, its kernels are launched singly: %s", str(error).splitlines()[0])
            return
        finally:
            torch.cuda.set_sync_debug_mode("default")
    trainer.replay = graph.replay
