"""Limits CPU threads: a layer that is too small to share is as fast on one thread, and on a busy machine faster.

Threads that share a layer wait for each other at its end. Measured on two Zen 5 cores: an epoch of ResNet-20 on 8 x 8
digits takes 0.22 s on one thread and 0.22 s on two, but 7 s on two while another process takes half a core. The other
cores train other tickets meanwhile: a run of ten, with its start and its report, takes 35 s instead of 45 to 52 s.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from sanity.masks import prunable
from sanity.masks.operations import operations

_WORTH_SHARING = 3e7
"""Floating-point operations of one layer's pass; above, two threads were faster on an idle machine."""


def is_small(model: nn.Module, input_shape: Sequence[int], examples: int) -> bool:
    """Returns whether a layer's work on so many examples is too little to be shared among threads."""
    return operations(model, input_shape).total * examples / len(prunable(model)) < _WORTH_SHARING


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Context manager; torch uses so many CPU threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def fitting(model: nn.Module, input_shape: Sequence[int], examples: int) -> Iterator[None]:
    """Context manager; one CPU thread inside where passes of so many examples through `model` are small, else all."""
    with limited(1 if is_small(model, input_shape, examples) else torch.get_num_threads()):
        yield
