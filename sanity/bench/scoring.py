"""Runs `python -m sanity.scoring_cost`: times the search for a mask beside the bare passes of its formula.

`--help` lists the keys. The reference of a method is the time of
the bare forward and backward passes of its formula, on the same data and in the same precision and process: SNIP one of
each, GraSP two forward and backward passes and the second derivative, SynFlow a hundred of each in float64.
"""

import copy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from rich.console import Console
from rich.table import Table
from torch import nn

import methods
from methods.base import Batches, Method
from methods.scoring_copy import full_precision
from sanity import models
from sanity.config import pairs
from sanity.config.options import fill, texts
from sanity.errors import UserError
from sanity.seeds import generator
from sanity.store.environment import describe
from sanity.training.allocator import keep_memory
from sanity.training.precision import resolve_device

Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Holds the options of the measurement.

    model: network
    shape: images, CxHxW
    classes: classes
    examples: examples to score with
    ratio: fraction of the prunable weights to remove
    methods: methods, by commas
    device: auto, cpu, cuda or cuda:N
    repeats: times that each is measured; the shortest counts
    """

    model: str = "vgg19"
    shape: str = "3x32x32"
    classes: Count = 10
    examples: Count = 100
    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.98
    methods: str = "snip,grasp,synflow"
    device: str = "auto"
    repeats: Count = 3


def bare(method: Method, net: nn.Module, batches: Batches) -> Callable[[], None]:
    """Runs the passes of the method's formula and nothing else, as many times as it has rounds."""
    precision = torch.float64 if method.double else torch.float32
    net = copy.deepcopy(net).to(precision).eval()
    method.prepare(net, generator(0, "cost"))
    converted = [(examples.to(precision), targets) for examples, targets in batches]

    def passes() -> None:
        for _ in range(method.rounds):
            method.bare_passes(net, converted)

    return passes


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Times `work` several times after a warm-up and returns the shortest time."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def measure(setting: Setting) -> Table:
    """Measures every method and returns a row for each. Raises `UserError` for an unknown name."""
    device = resolve_device(setting.device)
    shape = tuple(map(int, setting.shape.split("x")))
    source = generator(0, "cost")
    net = models.build(setting.model, shape, setting.classes, generator=source).to(device)
    examples = torch.randn(setting.examples, *shape, generator=source).to(device)
    targets = torch.randint(setting.classes, (setting.examples,), generator=source).to(device)
    batches = [(examples, targets)]
    setup = f"{setting.model} {setting.shape}, {setting.examples} examples, ratio {setting.ratio}"
    title = f"{setup}; {describe(device)}, shortest of {setting.repeats}"
    table = Table("method", "mask, s", "bare passes, s", "times", "peak memory, MB", title=title)
    for name in setting.methods.split(","):
        method = methods.get(name)
        with full_precision(device):  # as the method itself computes
            alone = seconds(bare(method, net, batches), device, setting.repeats)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        whole = seconds(lambda: method.mask(net, batches, setting.ratio), device, setting.repeats)  # noqa: B023
        table.add_row(name, f"{whole:.2f}", f"{alone:.2f}", f"{whole / alone:.2f}", f"{peak_memory(device):.0f}")
    return table


def peak_memory(device: torch.device) -> float:
    """Returns the peak memory in megabytes: of the device's allocator, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns 2, with one line, for a mistake."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if any(word in ("-h", "--help", "help") for word in words):
        lines = [f"  {name:10} {text} [{getattr(Setting, name)}]" for name, text in texts(Setting).items()]
        print("\n".join(["python -m sanity.scoring_cost key=value ...", "", *lines]))
        return 0
    keep_memory()
    try:
        Console().print(measure(fill(Setting, pairs(words), "")))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
