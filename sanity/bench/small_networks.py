"""Measures a network whole, masked, and without the channels that a method removes.

The networks take turns, so that a machine that others use too slows all of them alike; figures are medians over turns.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from rich import box
from rich.table import Table

import methods
from sanity import models
from sanity.bench.busyness import spread_of
from sanity.bench.options import ChannelRemoval
from sanity.masks.small_network import Size, size_of, small_network
from sanity.seeds import generator
from sanity.store.environment import describe
from sanity.training.precision import resolve_device
from sanity.training.speed import device_for, forward_pass, in_turns, training_step


@dataclass(frozen=True)
class Figures:
    """Holds what was measured of one network: seconds of a forward pass, and of a training step.

    spread: half of the range of the turns of either as a share of its median, the larger of both.
    """

    name: str
    size: Size
    forward_s: float
    step_s: float
    spread: float


def measure(setting: ChannelRemoval) -> list[Figures]:
    """Measures the whole, the masked and the small network. Raises `UserError` for names that there are not."""
    device = device_for(setting.clock, setting.device)
    shape = setting.shape
    source = generator(0, "structured")
    whole = models.build(setting.model, shape, setting.classes, generator=source)
    method = methods.get(setting.method, pattern=setting.pattern, allocation=setting.allocation)
    mask = method.mask(whole, [(torch.zeros(2, *shape), torch.zeros(2, dtype=torch.long))], setting.ratio, source)
    masked = {name: layer.to(device) for name, layer in mask.items()}
    nets = {
        "whole": (whole, {}),
        "masked": (models.build(setting.model, shape, setting.classes, generator=source), masked),
        "small": (small_network(whole, mask), {}),
    }
    images = torch.randn(setting.batch, *shape, generator=source).to(device)
    works: dict[tuple[str, str], Callable[[], object]] = {}
    for name, (net, zeroed) in nets.items():
        works[name, "forward"] = forward_pass(net.to(device), images)
        works[name, "step"] = training_step(net, zeroed, images)
    turns = in_turns(works, device, setting.turns, setting.clock)
    times = {key: statistics.median(seconds) for key, seconds in turns.items()}
    spreads = {key: spread_of(seconds, times[key]) for key, seconds in turns.items()}
    return [
        Figures(
            name,
            size_of(net, shape),
            forward_s=times[name, "forward"],
            step_s=times[name, "step"],
            spread=max(spreads[name, "forward"], spreads[name, "step"]),
        )
        for name, (net, _) in nets.items()
    ]


def table(setting: ChannelRemoval, figures: Sequence[Figures]) -> Table:
    """Returns a row for each network."""
    first = figures[0]
    about = f"{setting.model} {setting.shape}, batch {setting.batch}, {setting.method}, ratio {setting.ratio:g}"
    title = f"{about}, {setting.pattern}, {setting.allocation}; {describe(resolve_device(setting.device))}"
    rows = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    rows.add_column("network")
    for heading in ("parameters", "operations", "forward\nms", "times", "step\nms", "times", "spread"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for row in figures:
        seconds = [(row.forward_s, first.forward_s), (row.step_s, first.step_s)]
        cells = [text for own, base in seconds for text in (f"{1000 * own:.2f}", f"{base / own:.2f}")]
        rows.add_row(row.name, f"{row.size.parameters:,}", f"{row.size.flops:,}", *cells, f"±{100 * row.spread:.0f} %")
    return rows
