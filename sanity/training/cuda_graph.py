"""The whole training step as one CUDA graph: the host launches it in one call instead of some hundred."""

import logging

import torch

from sanity.training.trainer import Lane

log = logging.getLogger(__name__)


def capture(lane: Lane) -> None:
    """Lets `lane` replay its full steps from a graph; where its network cannot be captured, it launches every kernel.

    The warm-up that capturing needs is undone, so the training is the same. A step that waits for the device shows in
    the warm-up: a capture that fails would leave torch's allocator and generator in a state that no later one survives.
    """
    with lane.current(), lane.rehearsal():
        graph = torch.cuda.CUDAGraph()
        try:
            for waits in ("default", "default", "error"):
                torch.cuda.set_sync_debug_mode(waits)
                lane.recorded_step()
                lane.clock.zero_()
            torch.cuda.set_sync_debug_mode("default")
            with torch.cuda.graph(graph, stream=lane.stream):
                lane.recorded_step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            lane.ensemble.optimizer.zero_grad(set_to_none=True)  # of a step that broke off
            log.warning("the step cannot be captured, its kernels are launched singly: %s", str(error).splitlines()[0])
            return
        finally:
            torch.cuda.set_sync_debug_mode("default")
    lane.replay = graph.replay
