"""Chooses the layout of images in memory by trying it: channels-last is fastest, but not every network runs in it."""

import copy
import logging
from collections.abc import Sequence

import torch
from torch import nn

log = logging.getLogger(__name__)


def memory_format(model: nn.Module, input_shape: Sequence[int], device: torch.device) -> torch.memory_format:
    """Channels-last where `model` has 2-D convolutions and trains in that layout, else torch's contiguous one.

    A forward that views its input or a convolution's output as vectors, and a 3-D convolution, need the contiguous one.
    Two examples are passed through a copy of the network, forward and backward. input_shape: (C, H, W).
    """
    if not any(isinstance(module, nn.Conv2d) for module in model.modules()):
        return torch.contiguous_format
    net = copy.deepcopy(model).to(device)
    images = torch.zeros(2, *input_shape, device=device).contiguous(memory_format=torch.channels_last)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
            net.to(memory_format=torch.channels_last)
            for training in (True, False):
                net.train(training)(images).sum().backward()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # where the cause is another one, the training itself will say so
        log.debug("images are laid out contiguously, not channels-last: %s", str(error).splitlines()[0])
        return torch.contiguous_format
    return torch.channels_last
