"""How many threads a step is worth: a layer that is too small to share is as fast on one, and on a busy machine faster.

Threads that share a layer wait for each other at its end. Measured on two Zen 5 cores: an epoch of ResNet-20 on 8 x 8
digits takes 0.22 s on one thread and 0.22 s on two, but 7 s on two while another process takes half a core. The other
cores train other tickets meanwhile: a run of ten, with its start and its report, takes 35 s instead of 45 to 52 s.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sanity.masks import prunable
from sanity.training.stacked_linear import can_stack

_WORTH_SHARING = 3e7
"""Floating-point operations of one layer's pass; above, two threads were faster on an idle machine."""


def forward_operations(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Floating-point operations of one example's way forward through `model`, which is left as it was."""
    device = next(model.parameters()).device
    net = copy.deepcopy(model).train(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(2, *input_shape, device=device))  # one example has no batch statistics
    return int(counter.get_total_flops()) // 2


def is_small(model: nn.Module, input_shape: Sequence[int], examples: int) -> bool:
    """Whether threads have little to share in the passes of so many examples."""
    return forward_operations(model, input_shape) * examples / len(prunable(model)) < _WORTH_SHARING


def to_spare(model: nn.Module, input_shape: Sequence[int], examples: int) -> int:
    """How many trainings, by steps of so many examples, make the best of the threads: one a thread, or one where a
    layer's work is worth sharing. Stacks of linear layers are small in memory, and quicker each in its own thread."""
    return _spare(model, is_small(model, input_shape, examples))


def _spare(model: nn.Module, small: bool) -> int:
    return torch.get_num_threads() if small or can_stack(model) else 1


@contextmanager
def fitting(model: nn.Module, input_shape: Sequence[int], examples: int) -> Iterator[int]:
    """One thread where passes of so many examples through `model` have little to share; as many as before otherwise.

    Gives what `to_spare` says.
    """
    before = torch.get_num_threads()
    small = is_small(model, input_shape, examples)
    spare = _spare(model, small)
    if small:
        torch.set_num_threads(1)
    try:
        yield spare
    finally:
        torch.set_num_threads(before)
