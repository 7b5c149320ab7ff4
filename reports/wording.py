"""How numbers, names and verdicts are written, the same way in every format of a report."""

import math
from collections.abc import Collection

from reports.comparisons import Comparison, Mean
from reports.labels import parse
from reports.paper import PaperDelta
from reports.statistics import Cell
from reports.text import has, say

FOLDED = 4  # more ratios than that of a method are read as a curve, not one by one
MINUS, EN_DASH, CROSS = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"

SYMBOLS = {"identical": "≡", "equivalent": "≈", "small or none": "≤", "different": "≠", "likely different": "≠?",
           "undecided": "?", "not testable": CROSS, "missing": EN_DASH}  # fmt: skip
LISTED_SEEDS = 4  # more differences than that are told by their range

TOO_FEW = "not testable: too few runs"
ERRORS = {"both": "", "assumed": ", our spread for both", "ours": ", our error alone"}

METHODS = {
    "dense": "Dense network",
    "magnitude": "Magnitude",
    "snip": "SNIP",
    "grasp": "GraSP",
    "synflow": "SynFlow",
    "force": "FORCE",
    "lamp": "LAMP",
    "ntk_sap": "NTK-SAP",
    "npb": "NPB",
    "phew": "PHEW",
    "prospr": "ProsPr",
    "px": "PX",
    "rigl": "RigL",
    "set": "SET",
    "gmp": "GMP",
    "edge_popup": "Edge-popup",
    "gem_miner": "Gem-Miner",
    "l1_filters": "L1 filters",
    "network_slimming": "Network Slimming",
    "early_bird": "Early-Bird",
    "blind": "Blind",
    "imported": "Imported mask",
    "random": "Random",
    "random_tickets": "Random tickets",
    "hybrid_tickets": "Hybrid tickets",
    "partially_trained": "Partially-trained tickets",
}

DATASETS = {"digits": "digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10",
            "cifar100": "CIFAR-100", "tiny_imagenet": "Tiny ImageNet"}  # fmt: skip


def method_name(label: str) -> str:
    """ "snip@lee2019[biases=never]" -> "SNIP@lee2019 [biases=never]"; a third party's name stays as it is."""
    method = parse(label)[0]
    if method.label != label:
        return label
    variant = f"@{method.variant}" if method.variant else ""
    return METHODS.get(method.name, method.name) + variant + (f" [{method.settings}]" if method.options else "")


def check_name(label: str) -> str:
    """ "random_labels+reinit" -> "random labels + reinit", for the head of a column; options stay as they are."""
    parts = [(part.name.replace("_", " "), part.settings) for part in parse(label)]
    return " + ".join(f"{name} [{settings}]" if settings else name for name, settings in parts)


def percent(ratio: float) -> str:
    """A fraction as a percentage without needless zeros: 0.98 -> "98 %", 0.9785 -> "97.85 %"."""
    return f"{100 * ratio:.6g} %"


def rounded_percent(share: float) -> str:
    """A fraction as a percentage of three digits: 0.22667 -> "22.7 %"."""
    return f"{100 * share:.3g} %"


def trimmed(value: float) -> str:
    """A number of points without needless zeros: 0.5, 1."""
    return points(value).rstrip("0").rstrip(".")


def counted_points(value: float) -> str:
    """ "0.5 points", "1 point"."""
    return f"{trimmed(value)} point{'s' * (value != 1)}"


def percents(ratios: Collection[float], every: Collection[float]) -> str:
    """Several ratios as percentages, those that follow each other among `every` as a range: "20 to 48.8, 95 and 98 %"
    with a dash for the "to".

    Exact, as `percent` has it, where `every` is few or of few digits; else with as few as tell them apart (and from
    100 %), three at least.
    """
    ordered = sorted(set(every))
    short = len(ordered) > FOLDED and any(f"{100 * ratio:.4g}" != f"{100 * ratio:.6g}" for ratio in ordered)
    written = ([f"{100 * ratio:.{digits}g}" for ratio in ordered] for digits in range(3 if short else 6, 18))
    texts = next(row for row in written if len(set(row)) == len(ordered) and (ordered[-1] == 1 or "100" not in row))
    runs: list[list[int]] = []
    for place in sorted({ordered.index(ratio) for ratio in ratios}):
        if not runs or place != runs[-1][-1] + 1:
            runs.append([])
        runs[-1].append(place)
    *before, last = [EN_DASH.join(dict.fromkeys((texts[run[0]], texts[run[-1]]))) for run in runs]
    return f"{', '.join(before)} and {last} %" if before else f"{last} %"


def span(values: Collection[float]) -> str:
    """The smallest and the largest of some differences, signed; one where they look the same."""
    return " to ".join(dict.fromkeys(points(end(values), signed=True) for end in (min, max)))


def points(value: float, signed: bool = False, digits: int = 2) -> str:
    """An accuracy or difference with a real minus sign; an en dash where there is none."""
    if math.isnan(value):
        return EN_DASH
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    zero = float(text) == 0
    return (text.lstrip("+-") if zero else text).replace("-", MINUS)


def with_half(value: float, half: float, signed: bool = True) -> str:
    """A signed value such as -0.12 ± 0.20, or the value alone where no interval could be had."""
    return points(value, signed) + ("" if math.isnan(half) or math.isnan(value) else f" ± {half:.2f}")


def bracketed(low: float, high: float) -> str:
    """An interval such as [-0.32, 0.08], or [-12.3, 4.0]; empty where none is known that excludes anything."""
    if not math.isfinite(low + high):
        return ""
    digits = 2 if max(abs(low), abs(high)) < 10 else 1
    return f"[{points(low, digits=digits)}, {points(high, digits=digits)}]"


def verdict_name(verdict: str) -> str:
    """A verdict as a reader sees it: "equivalent" is "no effect"."""
    return say(f"verdict.{verdict}")


def outcome_name(outcome: str) -> str:
    """How a method did against a reference: "better", "as good", "can't tell"."""
    return say(f"outcome.{outcome}") if has(f"outcome.{outcome}") else verdict_name(outcome)


def by_seed(comparisons: Collection[Comparison]) -> str:
    """The differences of the seeds, "-2.0, -5.0, -50.0"; of many seeds or comparisons the ends of their range."""
    values = [moved for comparison in comparisons for _, moved in comparison.seeds]
    few = len(values) <= LISTED_SEEDS
    return (", " if few else " to ").join(
        points(value, signed=True, digits=1) for value in (values if few else (min(values), max(values)))
    )


def with_interval(comparison: Comparison) -> str:
    """The mean difference of a comparison and the interval that decided: "-0.12 [-0.32, 0.08]"; the differences of its
    seeds where these say more."""
    if comparison.scattered:
        return by_seed([comparison])
    estimate = points(comparison.difference.mean, signed=True)
    return f"{estimate} {bracketed(comparison.low, comparison.high)}".rstrip()


def accuracy(cell: Cell) -> str:
    """A cell's accuracy as `mean_std` has it; "failed" or "not counted" where no run gave one."""
    if cell.accuracy.n or cell.missing or not (cell.failed or cell.unusable):
        return mean_std(cell.accuracy)
    return "failed" if cell.failed else "not counted"


def mean_std(mean: Mean) -> str:
    """ "91.04 ± 0.33 (5)": mean, standard deviation, number of runs; the deviation only where there is one."""
    if not mean.n:
        return "missing"
    return points(mean.mean) + ("" if math.isnan(mean.std) else f" ± {mean.std:.2f}") + f" ({mean.n})"


def share(value: float) -> str:
    """A share such as a mask overlap as a percentage; an en dash where there is none."""
    return EN_DASH if math.isnan(value) else f"{100 * value:.1f} %"


def p_value(value: float) -> str:
    if math.isnan(value):
        return EN_DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def metric_text(paper: PaperDelta) -> str:
    """Which accuracy was compared with the paper's: "last", or "last (paper: unstated)"."""
    return paper.compared.replace("_", " ") + (
        "" if paper.metric == paper.compared else f" (paper: {paper.metric.replace('_', ' ')})"
    )


def paper_number(paper: PaperDelta) -> str:
    """The paper's mean ± its standard deviation (runs), with what it does not state left out."""
    std = "" if math.isnan(paper.std) else f" ± {paper.std:.2f}"
    return points(paper.mean) + std + ("" if math.isnan(paper.n) else f" ({paper.n:.0f})")


def inside_text(paper: PaperDelta) -> str:
    """Whether the paper's number lies inside our interval, and whose errors that counts."""
    if not paper.ours.n:
        return "missing: no run"
    if paper.inside is None:
        return f"not judged: {paper.diverged} of {paper.ours.n} runs diverged" if paper.diverged else TOO_FEW
    return ("✓ inside" if paper.inside else "✗ outside") + ERRORS[paper.errors]
