"""Times the search for a mask beside the bare passes of its formula.

The reference of a method is the time of the bare forward and backward passes of its formula, on the same data and in
the same precision and process: SNIP one of each, GraSP two forward and backward passes and the second derivative,
SynFlow a hundred of each in float64.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from rich import box
from rich.table import Table
from torch import nn

import methods
from methods.base import Batches, Method
from methods.scoring_copy import full_precision
from sanity import models
from sanity.bench.busyness import spread_of
from sanity.bench.options import Searches
from sanity.seeds import generator
from sanity.store.environment import describe
from sanity.training.precision import resolve_device
from sanity.training.speed import device_for, in_turns


@dataclass(frozen=True)
class Cost:
    """Holds what one method's search costs.

    mask_s: seconds of the whole search. bare_s: of the passes of its formula; None for a formula without passes.
    times: mask_s / bare_s, the median over the repeats. spread: half of the range of these, or of mask_s where there
    are none, as a share of the median. peak_mb: memory at most.
    """

    method: str
    mask_s: float
    bare_s: float | None
    times: float | None
    spread: float
    peak_mb: float


def bare(method: Method, net: nn.Module, batches: Batches) -> Callable[[], None] | None:
    """Runs the passes of the method's formula and nothing else, as many times as it has rounds; None: it has none."""
    if type(method).bare_passes is Method.bare_passes:
        return None
    precision = torch.float64 if method.double else torch.float32
    net = copy.deepcopy(net).to(precision).eval()
    method.prepare(net, generator(0, "cost"))
    converted = [(examples.to(precision), targets) for examples, targets in batches]

    def passes() -> None:
        with full_precision(converted[0][0].device):  # as the method itself computes
            for _ in range(method.rounds):
                method.bare_passes(net, converted)

    return passes


def measure(setting: Searches) -> list[Cost]:
    """Measures every method. Raises `UserError` for an unknown name, and for the clock of the CPU on a GPU."""
    device = device_for(setting.clock, setting.device)
    shape = setting.shape
    source = generator(0, "cost")
    net = models.build(setting.model, shape, setting.classes, generator=source).to(device)
    examples = torch.randn(setting.examples, *shape, generator=source).to(device)
    targets = torch.randint(setting.classes, (setting.examples,), generator=source).to(device)
    batches = [(examples, targets)]
    return [_cost(name, methods.get(name), net, batches, setting, device) for name in setting.methods.split(",")]


def _cost(name: str, method: Method, net: nn.Module, batches: Batches, setting: Searches, device: torch.device) -> Cost:
    """Measures a method and its bare passes in turn, after a first turn that does not count."""
    passes = bare(method, net, batches)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    works: dict[str, Callable[[], object]] = {"whole": lambda: method.mask(net, batches, setting.ratio)}
    if passes is not None:
        works = {"alone": passes, **works}
    times = in_turns(works, device, setting.repeats, setting.clock)
    whole, alone = times["whole"], times.get("alone")
    if not alone:
        return Cost(name, median(whole), None, None, spread_of(whole, median(whole)), peak_memory(device))
    ratios = [mask_s / bare_s for mask_s, bare_s in zip(whole, alone, strict=True)]
    middle = median(ratios)
    return Cost(name, median(whole), median(alone), middle, spread_of(ratios, middle), peak_memory(device))


def table(setting: Searches, costs: Sequence[Cost]) -> Table:
    """Returns a row for each method."""
    setup = f"{setting.model} {setting.shape}, {setting.examples} examples, ratio {setting.ratio}"
    clock = "processor seconds" if setting.clock == "cpu" else "seconds"
    title = f"{setup}; {describe(resolve_device(setting.device))}, {clock}, median of {setting.repeats}"
    rows = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    rows.add_column("method")
    for heading in ("mask, s", "bare, s", "times", "spread", "peak MB"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for cost in costs:
        spread = f"±{100 * cost.spread:.0f} %"
        bare_s, times = ("none" if value is None else f"{value:.2f}" for value in (cost.bare_s, cost.times))
        rows.add_row(cost.method, f"{cost.mask_s:.2f}", bare_s, times, spread, f"{cost.peak_mb:.0f}")
    return rows


def peak_memory(device: torch.device) -> float:
    """Returns the peak memory in megabytes: of the device's allocator, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # which Windows lacks

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
