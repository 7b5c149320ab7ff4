"""Measures how fast networks are: a forward pass and a training step of each, in turns.

Networks take turns, so that a machine that others use too slows all of them alike.
"""

import copy
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.store.environment import describe
from sanity.training.clock import Clock
from sanity.training.cpu_threads import limited
from sanity.training.memory_format import memory_format
from sanity.training.precision import numerics, resolve_device

_IMAGES, _TURNS = 32, 3
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class SpeedUp:
    """Holds seconds of a masked network and of the small one without its removed channels, medians over `turns`.

    forward passes without gradients in evaluation mode; steps of SGD with momentum. batch: images at a time. threads:
    on a CPU one, in processor seconds; on a GPU seconds of the wall.
    """

    masked_forward_s: float
    small_forward_s: float
    masked_step_s: float
    small_step_s: float
    batch: int
    turns: int
    precision: str
    device: str
    threads: int


def speed_up(
    network: nn.Module,
    mask: Mapping[str, Tensor],
    small: nn.Module,
    input_shape: Sequence[int],
    device: torch.device,
    precision: str,
) -> SpeedUp:
    """Measures `network` under `mask`, and `small`, on random images; both stay as they are, and so does torch's seed.

    input_shape: (C, H, W). precision: `fp32` or `bf16`.
    """
    images = torch.zeros(_IMAGES, *input_shape, device=device)
    layout = memory_format(network, input_shape, device)
    masked = {name: layer.to(device) for name, layer in mask.items()}
    with numerics(device, precision, deterministic=False), limited(1):
        works: dict[tuple[str, str], Callable[[], object]] = {}
        for name, net, zeroed in (("masked", network, masked), ("small", small, {})):
            own = copy.deepcopy(net).to(device).to(memory_format=layout)
            works[name, "forward"] = forward_pass(own, images.contiguous(memory_format=layout), precision)
            works[name, "step"] = training_step(own, zeroed, images.contiguous(memory_format=layout), precision)
        times = in_turns(works, device, _TURNS, "cpu" if device.type == "cpu" else "wall")
        where = describe(device)
    seconds = {f"{name}_{work}_s": median(turns) for (name, work), turns in times.items()}
    return SpeedUp(**seconds, batch=_IMAGES, turns=_TURNS, precision=precision, device=where, threads=1)


def forward_pass(net: nn.Module, images: Tensor, precision: str = "fp32") -> Callable[[], object]:
    """Returns what passes `images` through `net` once, without gradients, in evaluation mode."""

    @torch.no_grad()
    def work() -> None:
        net.eval()
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            net(images)

    return work


def training_step(
    net: nn.Module, mask: Mapping[str, Tensor], images: Tensor, precision: str = "fp32"
) -> Callable[[], object]:
    """Returns what takes one step of SGD with momentum, whose gradients are masked as in a training."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    targets = torch.zeros(len(images), dtype=torch.long, device=images.device)

    def work() -> None:
        net.train()
        optimizer.zero_grad()
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = net(images)
        F.cross_entropy(logits.float(), targets).backward()
        for name, layer in mask.items():
            gradient = net.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(layer)
        optimizer.step()

    return work


def device_for(clock: Clock, name: str) -> torch.device:
    """Returns the device of that name. Raises `UserError` where `clock` does not see the work that is done there."""
    device = resolve_device(name)
    if clock == "cpu" and device.type != "cpu":
        raise UserError(f"clock=cpu: the work is done on {device.type}; use clock=wall")
    return device


def in_turns(
    works: Mapping[Name, Callable[[], object]], device: torch.device, turns: int, clock: Clock = "wall"
) -> dict[Name, list[float]]:
    """Returns the seconds of every turn after a first one, which is not counted."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    times: dict[Name, list[float]] = {key: [] for key in works}
    for turn in range(turns + 1):
        for key, work in works.items():
            began = now()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:
                times[key].append(now() - began)
    return times
