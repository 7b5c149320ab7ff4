"""Prints the tables of docs/statistics.md: how many seeds the sequential design needs, and how often it errs.

    python -m tests.reports.expected_seeds

One comparison, looked at after each of 2, 3, ..., 80 seeds, margin 0.5 points, alpha 5 %, 4000 repetitions.
"""

import math

import numpy as np
from numpy.typing import NDArray

from reports import inference, sequential

Floats = NDArray[np.float64]
RUNS, SEEDS, MARGIN, ALPHA = 4000, 80, 0.5, 0.05
CONSTANTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SPREADS = (0.15, 0.3, 0.6, 1.0)  # no true difference, ends in "equivalent"
EFFECTS = (1.0, 2.0)  # true differences at a standard deviation of 1, end in "different"


def draws(kind: str) -> Floats:
    """RUNS sequences of mean 0 and standard deviation 1."""
    rng, shape = np.random.default_rng(0), (RUNS, SEEDS)
    match kind:
        case "normal":
            return rng.standard_normal(shape)
        case "skewed":
            return rng.exponential(1, shape) - 1
        case "heavy":
            return rng.standard_t(3, shape) / math.sqrt(3)
        case "skewed, exchanged":  # two accuracies that might as well be exchanged: the check has no effect at all
            return (rng.exponential(1, shape) - rng.exponential(1, shape)) / math.sqrt(2)
        case "collapsing, exchanged":
            runs = np.where(rng.random((2, *shape)) < 0.05, -3.2, 0.0)
            return runs[0] - runs[1] + 0.2 * rng.standard_normal(shape)
        case _:  # one run in twenty collapses
            lost = rng.random(shape) < 0.05
            return np.where(lost, -4.25, 0.224) + 0.2 * rng.standard_normal(shape)


def statistics_against(differences: Floats, hypothesis: float) -> tuple[Floats, Floats]:
    """The t statistic against `hypothesis`, and the number of seeds, after each look."""
    n = np.arange(1, SEEDS + 1)
    mean = differences.cumsum(1) / n
    squares = np.maximum((differences**2).cumsum(1) - n * mean**2, 1e-12)
    error = np.sqrt(squares[:, 1:] / (n[1:] - 1) / n[1:])
    return (mean[:, 1:] - hypothesis) / error, np.broadcast_to(n[1:], error.shape)


def different(differences: Floats, c2: float) -> NDArray[np.bool_]:
    """Whether each look finds a difference."""
    return sequential.e_two_sided(*statistics_against(differences, 0.0), c2) >= 1 / ALPHA


def equivalent(differences: Floats, c2: float) -> NDArray[np.bool_]:
    """Whether each look finds equivalence."""
    above, n = statistics_against(differences, -MARGIN)
    below, _ = statistics_against(differences, MARGIN)
    bets = sequential.e_one_sided(above, n, c2), sequential.e_one_sided(-below, n, c2)
    return np.asarray(np.minimum(*bets) >= 1 / ALPHA)


def needed(found: NDArray[np.bool_]) -> float:
    """The mean number of seeds until a verdict, SEEDS where none falls."""
    return float(np.where(found.any(1), found.argmax(1) + 2, SEEDS).mean())


def fixed(mean: float, std: float) -> str:
    """The seeds of one who knew the truth beforehand: a fixed number with a power of 80 %."""
    return f"{inference.seeds_to_decide(mean, std, MARGIN, ALPHA):.0f}"


def main() -> None:
    """Prints both tables as Markdown."""
    normal = draws("normal")
    for c2 in CONSTANTS:
        seeds = [needed(equivalent(std * normal, c2)) for std in SPREADS]
        seeds += [needed(different(normal + effect, c2)) for effect in EFFECTS]
        print(f"| {c2:g} | " + " | ".join(f"{count:.1f}" for count in seeds) + " |", flush=True)
    known = [fixed(0.0, std) for std in SPREADS] + [fixed(effect, 1.0) for effect in EFFECTS]
    print("| fixed, truth known | " + " | ".join(known) + " |")
    for kind in ("normal", "skewed", "heavy", "collapsing", "skewed, exchanged", "collapsing, exchanged"):
        noise = draws(kind)
        ends = [equivalent(side * noise + MARGIN, sequential.C2).any(1).mean() for side in (1, -1)]
        false = different(noise, sequential.C2).any(1).mean()
        print(f"| {kind} | {100 * false:.1f} % | {100 * max(ends):.1f} % |", flush=True)


if __name__ == "__main__":
    main()
