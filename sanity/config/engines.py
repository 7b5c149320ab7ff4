"""Defines the options of the engines that run a grid (`engine=NAME`, `NAME.option=value`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from sanity.config.options import fill
from sanity.errors import UserError

RAY = "ray"


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Runs the tasks of a grid on the workers of Ray: on this machine, or on a cluster.

    Each worker takes a search, or as many trainings as go well side by side on its share of the hardware. Results are
    those of engine=local, also to the bit with deterministic=true where a worker has as many threads as that run.

    address: empty: a Ray of this machine, for this run alone; auto: the cluster that this machine belongs to; HOST:PORT
    cpus_per_run: cores of a worker, and its threads
    gpus_per_run: GPUs of a worker, 0.25: four workers share one; null: 1 if the run's device is a GPU, else none
    workers: the most workers; null: as many as the hardware holds
    wait_minutes: how long to wait where no machine has room, for clusters that start machines where there is work
    shared_folder: whether all machines see results_dir; if not, workers send their results to where the run was started
    retries: how often a task may lose its worker, before its cells count as failed
    """

    address: str = ""
    cpus_per_run: Annotated[int, Field(ge=1)] = 1
    gpus_per_run: Annotated[float, Field(ge=0)] | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    wait_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    shared_folder: bool = True
    retries: Annotated[int, Field(ge=0)] = 5


def ray_options(engine: str, values: Mapping[str, Any]) -> RayOptions:
    """Returns the options of engine=ray. Raises `UserError` for an unknown option, a bad value, and another engine."""
    if values and engine != RAY:
        raise UserError(f"{RAY}.{next(iter(values))}: is an option of engine={RAY}, but engine={engine}")
    return fill(RayOptions, values, RAY)
