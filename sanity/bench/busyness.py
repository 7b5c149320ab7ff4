"""Notices whether a machine had time for a measurement: a busy one gives figures that say nothing."""

import os
import time
from dataclasses import dataclass
from types import TracebackType

from sanity.store.processes import without_a_core

TOO_LONG = 0.1
TOO_WIDE = 0.2


@dataclass(frozen=True)
class Busyness:
    """Holds how busy the machine was during a measurement.

    waited: share of the time in which this process could run and had no core; None where the system does not tell.
    load: processes that wanted a core in the minute before the measurement; None where the system does not tell.
    cores: those that this process may use.
    spread: half of the range of the repeated figures, as a share of their median: the widest of all rows.
    """

    waited: float | None
    load: float | None
    cores: int
    spread: float

    @property
    def too_busy(self) -> bool:
        """Whether the figures say more of the machine's other work than of this suite."""
        others = self.load is not None and self.load > self.cores
        return self.spread > TOO_WIDE or (others if self.waited is None else self.waited > TOO_LONG)

    def text(self) -> str:
        """Says in two lines at most whether the figures can be used."""
        waited = "" if self.waited is None else f"waited for a core {100 * self.waited:.0f} % of the time"
        load = "" if self.load is None else f"load {self.load:.1f} on {self.cores} cores before"
        facts = "; ".join([*filter(None, [waited, load]), f"spread up to ± {100 * self.spread:.0f} %"])
        verdict = "The machine was too busy to tell; measure again when it is idle" if self.too_busy else "Machine"
        return f"{verdict}: {facts}."


class Watch:
    """Context manager around a measurement; `seen` then tells how busy the machine was."""

    def __enter__(self) -> "Watch":
        self._load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._waited: float | None = None
        self._began, self._before = time.perf_counter(), without_a_core()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        after, seconds = without_a_core(), time.perf_counter() - self._began
        if after is not None and self._before is not None:
            self._waited = (after - self._before) / seconds

    def seen(self, spread: float) -> Busyness:
        """Returns what was noticed; `spread` is that of the figures."""
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        return Busyness(self._waited, self._load, cores, spread)


def spread_of(values: list[float], middle: float) -> float:
    """Returns half of the range of repeated figures as a share of their middle."""
    return (max(values) - min(values)) / 2 / middle
