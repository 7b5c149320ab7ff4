"""Holds the options of the benchmarks. Imports no torch: their help needs none."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from sanity.bench.image_shape import CIFAR, Shape
from sanity.training.clock import Clock

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Bench:
    """Holds the options of the training loops beside each other.

    model: network
    shape: images, CxHxW
    classes: classes
    batch: images a step
    device: auto, cpu, cuda or cuda:N
    precision: of ours; fp32 is always measured too
    tickets: trainings side by side
    density: fraction of weights kept; 1: no mask
    augment: crop from 4 zeros around, and flip
    workers: processes of the reference's DataLoader
    reference: measure the reference loop
    seconds: length of one turn
    turns: turns of each contender
    json: file that gets the figures; also as --json FILE
    """

    model: str = "resnet20"
    shape: Shape = CIFAR
    classes: Annotated[int, Field(ge=2)] = 10
    batch: Count = 128
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    tickets: Count = 1
    density: Annotated[float, Field(gt=0, le=1)] = 0.05
    augment: bool = True
    workers: Annotated[int, Field(ge=0)] = 0
    reference: bool = True
    seconds: Positive = 2.0
    turns: Count = 5
    json: str = ""


@dataclass(frozen=True, kw_only=True)
class Searches:
    """Holds the options of the measurement.

    model: network
    shape: images, CxHxW
    classes: classes
    examples: examples to score with
    ratio: fraction of the prunable weights to remove
    methods: methods, by commas
    device: auto, cpu, cuda or cuda:N
    repeats: times that each is measured, in turn with the bare passes; the median counts
    clock: wall, or cpu: processor seconds of all threads (user and system), of use on a busy machine
    json: file that gets the figures; also as --json FILE
    """

    model: str = "vgg19"
    shape: Shape = CIFAR
    classes: Count = 10
    examples: Count = 100
    ratio: Share = 0.98
    methods: str = "snip,grasp,synflow"
    device: str = "auto"
    repeats: Count = 3
    clock: Clock = "wall"
    json: str = ""


@dataclass(frozen=True, kw_only=True)
class ChannelRemoval:
    """Holds the options of the measurement.

    model: network
    shape: images, CxHxW
    classes: classes
    batch: images at a time
    ratio: share of channels to remove
    method: whose channels go, at initialisation
    pattern: channel or inner_channel
    allocation: global or uniform
    device: auto, cpu, cuda or cuda:N
    turns: turns of each network; the median counts
    clock: wall, or cpu: processor seconds of all threads (user and system), of use on a busy machine
    json: file that gets the figures; also as --json FILE
    """

    model: str = "resnet20"
    shape: Shape = CIFAR
    classes: Count = 10
    batch: Count = 128
    ratio: Share = 0.5
    method: str = "l1_filters"
    pattern: str = "channel"
    allocation: str = "uniform"
    device: str = "auto"
    turns: Count = 9
    clock: Clock = "wall"
    json: str = ""


@dataclass(frozen=True, kw_only=True)
class GpuCheck:
    """Holds the options of the check.

    device: cuda, cuda:N, or cpu for a rehearsal
    model: network whose throughput is measured, on 3x32x32
    batch: images a step
    tickets: trainings side by side, where many are measured
    seconds: length of one turn of a measurement
    methods: methods whose scores and masks are compared with the CPU's
    json: file that gets the findings; also as --json FILE
    """

    device: str = "cuda"
    model: str = "resnet20"
    batch: Count = 128
    tickets: Count = 8
    seconds: Positive = 1.0
    methods: str = "snip,grasp,synflow,magnitude"
    json: str = ""
