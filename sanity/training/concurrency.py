"""Decides how trainings of one network share a device: how many in a stack, how many at a time, on how many threads."""

from dataclasses import dataclass

import torch
from torch import nn

from sanity.data.dataset import Dataset
from sanity.models.behaviour import uses_global_rng
from sanity.recipes import Recipe
from sanity.training.compute import Compute
from sanity.training.cpu_threads import is_small
from sanity.training.stacked_linear import why_not_stacked

STACK = {"cpu": 4, "cuda": 8}
"""Tickets of one stack. On a CPU (Zen 5, LeNet-300-100, batch 100, 5 % kept, bf16, ms a step and ticket) 1 take 1.11, 4
take 0.64, 8 and 16 no less; small stacks leave something to do for the other cores."""
_MOST_ON_GPU = 32
"""Trainings that are handed over at once where a measurement finds how many a GPU takes."""
_EXAMPLES = 64
"""Examples on which a stack is compared with its tickets alone."""


@dataclass(frozen=True)
class Concurrency:
    """How trainings of one network share a device.

    stack: trainings in one stack; 1: none are stacked. width: stacks, or trainings, at a time; None: as many as a
    measurement says. threads: CPU threads that they share. own_threads: whether each takes its steps in a thread pool
    of its own. why: the reasons, in a line for the log.
    """

    stack: int
    width: int | None
    threads: int
    own_threads: bool
    why: str

    def threads_each(self, trainers: int) -> int | None:
        """Returns the CPU threads of each trainer; None where the trainers take steps in turn, on all threads."""
        return max(self.threads // trainers, 1) if self.own_threads and trainers > 1 else None

    @property
    def trainings(self) -> int:
        """How many trainings are worth starting at once."""
        return _MOST_ON_GPU if self.width is None else self.stack * self.width


def choose(
    model: nn.Module,
    data: Dataset,
    recipe: Recipe,
    compute: Compute,
    trainings: int | None = None,
) -> Concurrency:
    """Decides for trainings of networks like `model`, by what it does with a batch of `data`.

    trainings: how many there are, which tells how large the layers of a stack are; None: enough to fill it. The network
    is left as it was.
    """
    device, deterministic, runs_per_device = compute.hardware, compute.deterministic, compute.runs_per_device
    noise = uses_global_rng(model, data.input_shape)
    examples = min(2 * min(recipe.batch_size, _EXAMPLES), len(data))
    images = data.normalise(data.fetch(torch.arange(examples, device=data.targets.device)))
    unstackable = why_not_stacked(model, images)
    alone = unstackable or _why_alone(recipe, deterministic)
    stack = 1 if alone else STACK[device.type]
    reasons = [f"no stacks, since {alone}" if alone else f"stacks of up to {stack}"]
    threads = torch.get_num_threads()
    if device.type == "cuda":
        width, reason = _width_on_gpu(noise, deterministic, runs_per_device)
        return Concurrency(stack, width, threads, False, "; ".join([*reasons, reason]))
    small = is_small(model, data.input_shape, recipe.batch_size * min(trainings or stack, stack))
    parallel = threads if small or not unstackable else 1  # a stack is quicker on a thread of its own, small or not
    # With `deterministic`, rounding must not depend on how many threads a training has: each has one, or all have all.
    own_threads = not noise and not (deterministic and parallel == 1)
    reasons.append("layers are too small to share among threads" if small else "layers are shared among threads")
    if noise:
        width, reason = 1, "one at a time, since the network draws random numbers from torch's only CPU generator"
    else:
        width = runs_per_device or (parallel if own_threads else 1)
        reason = f"{width} at a time" + (", as runs_per_device says" if runs_per_device else "")
    threads = 1 if small or (deterministic and own_threads) else threads
    return Concurrency(stack, width, threads, own_threads, "; ".join([*reasons, reason]))


def _why_alone(recipe: Recipe, deterministic: bool) -> str:
    """Returns why networks that could be stacked are not; empty where they are."""
    if deterministic:
        return "the rounding of a stack depends on its size"
    if recipe.clip_norm is not None:
        return "each gradient is clipped by the norm of its own network"
    return "each learning rate follows its own loss" if recipe.schedule == "plateau" else ""


def _width_on_gpu(noise: bool, deterministic: bool, runs_per_device: int | None) -> tuple[int | None, str]:
    if noise:
        return 1, "one at a time, since the network draws random numbers from the GPU's only generator"
    if runs_per_device is None and not deterministic:
        return None, "as many at a time as a measurement says"
    width = runs_per_device or 1
    return width, f"{width} at a time, as {'runs_per_device' if runs_per_device else 'deterministic'} says"
