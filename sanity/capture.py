"""The whole training step as one CUDA graph: the host launches it in one call instead of some hundred."""

import logging

import torch

from sanity.lane import Lane

log = logging.getLogger(__name__)


def capture(lane: Lane) -> None:
    """Lets `lane` replay its full steps from a graph; where its network cannot be captured, it launches every kernel.

    The warm-up that capturing needs is undone, so the training is the same.
    """
    with lane.current(), lane.rehearsal():
        for _ in range(3):
            lane.recorded_step()
            lane.clock.zero_()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=lane.stream):
                lane.recorded_step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("the step cannot be captured, its kernels are launched singly: %s", str(error).splitlines()[0])
            return
    lane.replay = graph.replay
