"""Says how the masks of early-bird tickets settle over the epochs of dense training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reports.runs import Runs


@dataclass(frozen=True)
class Settling:
    """When the masks of the runs of a cell settled.

    epochs: the epoch in which each run drew its ticket. emerged: in how many of them the mask had settled by then.
    distances: of the masks of every two epochs, a mean over the runs that came to both.
    """

    epochs: tuple[int, ...]
    emerged: int
    distances: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, done: Runs) -> "Settling | None":
        """Returns what the records of a cell say; None where they hold no distances."""
        birds = [bird for bird in done.get("early_bird") if isinstance(bird, Mapping) and bird.get("distances")]
        if not birds:
            return None
        longest = max(len(bird["distances"]) for bird in birds)
        table = np.full((len(birds), longest, longest), np.nan)
        for place, bird in enumerate(birds):
            table[place, : len(bird["distances"]), : len(bird["distances"])] = bird["distances"]
        mean = tuple(tuple(map(float, row)) for row in np.nanmean(table, axis=0))
        return cls(tuple(int(bird["epoch"]) for bird in birds), sum(bool(bird["emerged"]) for bird in birds), mean)
