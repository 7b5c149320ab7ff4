"""One plain sentence for each comparison: which template of wording.toml is said, and what fills it."""

import math
from collections.abc import Sequence

from reports import inference
from reports.comparisons import WIDER, Comparison
from reports.controls import contradiction
from reports.phrases import Phrase, phrase
from reports.records import CONTROL
from reports.references import could_not_fail
from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.wording import (
    bracketed,
    by_seed,
    method_name,
    percents,
    points,
    rounded_percent,
    span,
    trimmed,
    with_interval,
)

LONG = {"easy_dense": "easy", "easy_ticket": "easy", "groups": "groups"}
"""Notes that are told in full once a page, and how they are called from then on."""


def sentence(cells: Sequence[Cell], summary: Summary, told: set[str] | None = None) -> str:
    """Says what the comparisons of `cells` to their controls found, and what makes them weaker than they look.

    Args:
        cells: one cell, or several that differ in the ratio alone and have one verdict.
        told: long notes that the page has already; those of this sentence join them. A second time they are short.
    Raises `ValueError` for a cell without a comparison.
    """
    if any(cell.comparison is None for cell in cells):
        raise ValueError(f"{cells[0].method} with check {cells[0].check} is not compared with anything")
    form = _form(cells)
    finding = _finding(form, cells, phrase(cells[0].check, cells[0].check_words), summary)
    name = method_name(cells[0].method)
    note = _caveat(cells, summary, set() if told is None else told)
    return say(f"{form}.frame", method=name, where=where(cells, summary), finding=finding, note=note)


def not_compared(cells: Sequence[Cell], summary: Summary) -> str:
    """Says of several ratios of one method that nothing was run there, for all checks at once."""
    return say("several.unrun", method=method_name(cells[0].method), where=where(cells, summary), reason=absent(cells))


def where(cells: Sequence[Cell], summary: Summary) -> str:
    """The ratios of cells of one method: "98 %"; as ranges where they follow each other in the table."""
    first = cells[0]
    every = [cell.ratio for cell in summary.select(setting=first.setting, method=first.method)]
    return percents([cell.ratio for cell in cells], every)


def change(cells: Sequence[Cell]) -> str:
    """How far the check moved accuracy, in points, with the interval that decided: "-0.12 [-0.32, 0.08]".

    Of several cells the lowest to the highest estimate, and the lowest to the highest end of the intervals, or of the
    seeds where these are too far apart for intervals.
    """
    comparisons = _comparisons(cells)
    if len(comparisons) == 1:
        return with_interval(comparisons[0])
    estimates = span([comparison.difference.mean for comparison in comparisons])
    if any(comparison.scattered for comparison in comparisons):
        return say("caption.seeds", estimates=estimates, seeds=by_seed(comparisons))
    return f"{estimates} {bracketed(*_ends(comparisons))}".rstrip()


def _ends(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """The lowest and the highest end of the intervals of comparisons; NaN where one has none."""
    ends = [(comparison.low, comparison.high) for comparison in comparisons]
    if any(math.isnan(low) for low, _ in ends):
        return math.nan, math.nan
    return min(low for low, _ in ends), max(high for _, high in ends)


def absent(cells: Sequence[Cell]) -> str:
    """Why none of the cells is compared."""
    if not any(cell.accuracy.n for cell in cells):
        if all(cell.unusable for cell in cells):
            return say("missing.unusable")
        return say("missing.failed" if all(cell.failed for cell in cells) else "missing.unrun")
    return say("missing.control" if all(cell.accuracy.n for cell in cells) else "missing.pairs")


def has_error(cell: Cell) -> bool:
    """Whether the difference has an interval that excludes something: enough seeds, and not all alike."""
    return cell.comparison is not None and math.isfinite(cell.comparison.excluded)


def outlook(cell: Cell, summary: Summary) -> str:
    """In a few words what an open comparison still needs ("about 25 seeds"), why it is not testable, or that it could
    not have failed."""
    if cell.comparison is None:
        return ""
    return say("needed.easy") if could_not_fail(cell, summary) else still_needed(cell.comparison)


def still_needed(comparison: Comparison) -> str:
    """In a few words what an open comparison still needs, or why it is not testable."""
    if comparison.verdict == "not testable":
        return say(f"needed.{comparison.obstacle}")
    if not comparison.open or comparison.verdict == "missing":
        return ""
    if comparison.manner == "skewed":
        return say("needed.skewed")
    if comparison.difference.n < 2:
        return say("needed.two")
    return seeds(comparison.seeds_needed)


def seeds(needed: float) -> str:
    """A number of seeds that would settle a comparison; NaN where the differences have no spread to go by."""
    if math.isnan(needed):
        return say("needed.alike")
    if math.isinf(needed):
        return say("needed.more", count=f"{inference.SEEDS_LIMIT:,}")
    return say("needed.about", count=f"{needed:.0f}")


def control_of(cell: Cell, summary: Summary) -> Cell | None:
    """The cell of the unperturbed ticket that `cell` is compared with."""
    return next(iter(summary.select(setting=cell.setting, method=cell.method, ratio=cell.ratio, check=CONTROL)), None)


def _form(cells: Sequence[Cell]) -> str:
    return "one" if len(cells) == 1 else "several"


def _comparisons(cells: Sequence[Cell]) -> list[Comparison]:
    return [cell.comparison for cell in cells if cell.comparison]


def _finding(form: str, cells: Sequence[Cell], words: Phrase, summary: Summary) -> str:
    comparisons = _comparisons(cells)
    verdict = comparisons[0].verdict
    if verdict == "missing":
        return say(f"{form}.missing", action=words.action, reason=absent(cells))
    differences = [comparison.difference for comparison in comparisons]
    runs = sorted({difference.n for difference in differences})
    n = str(runs[0]) if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    values = {**vars(words), "n": n, "margin": trimmed(summary.margin), "bound": trimmed(WIDER * summary.margin)}
    if verdict == "identical":
        return say(f"{form}.identical_data" if words.data else f"{form}.identical", **values)
    estimates = span([difference.mean for difference in differences])
    values |= {"change": change(cells), "estimates": estimates, "estimate": estimates, "seeds": by_seed(comparisons)}
    values |= {
        "family": comparisons[0].family,
        "side": say("side.above" if differences[0].mean > 0 else "side.below"),
        "sure": times_in_100(1 - summary.alpha),
    }
    values |= _interval(comparisons)
    if verdict == "not testable":
        return say(f"{form}.untestable_{comparisons[0].obstacle}", **values)
    kind = {"small or none": "small", "likely different": "likely"}.get(verdict, verdict)
    needed: dict[str, str] = {}
    if comparisons[0].open:
        kind, needed = _open(form, kind, comparisons)
    return say(f"{form}.{kind}", **values, **needed)


def times_in_100(share: float) -> str:
    """How often in 100 times something happens: 0.05 is "5"."""
    return f"{100 * share:g}"


def _interval(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """The ends of the intervals that decided, in points, and the smallest difference that all of them exclude."""
    low, high = (points(end, signed=True) for end in _ends(comparisons))
    excluded = max(comparison.excluded for comparison in comparisons)
    shares = sorted({round(comparison.confidence, 4) for comparison in comparisons})
    interval = " to ".join(dict.fromkeys(map(rounded_percent, (shares[0], shares[-1]))))
    return {"interval": interval, "low": low, "high": high, "excluded": f"{excluded:.2f}"}


def _open(form: str, kind: str, comparisons: Sequence[Comparison]) -> tuple[str, dict[str, str]]:
    """The template for comparisons that more seeds may decide, and the seeds that it names."""
    if all(comparison.difference.n < 2 for comparison in comparisons):
        return "undecided_one_seed", {}
    if any(math.isnan(comparison.excluded) for comparison in comparisons):
        return "undecided_alike", {}
    needed = [comparison.seeds_needed for comparison in comparisons]
    texts = {"fewest": seeds(min(needed)), "most": seeds(max(needed))}
    if comparisons[0].manner:
        return f"{kind}_{comparisons[0].manner}", texts
    if kind != "undecided":
        return kind, texts
    if any(math.isinf(comparison.excluded) for comparison in comparisons):
        return "undecided_few", texts
    alike = form == "several" and texts["fewest"] == texts["most"]
    return "undecided_as_many" if alike else "undecided", texts


def _caveat(cells: Sequence[Cell], summary: Summary, told: set[str]) -> str:
    """What makes the numbers weaker than they look: diverged runs, emptied layers, seeds without a pair."""
    by_cell = [_weaknesses(cell, summary) for cell in cells]
    kinds = dict.fromkeys(kind for weaknesses in by_cell for kind in weaknesses)
    counts = {kind: sum(kind in weaknesses for weaknesses in by_cell) for kind in kinds}
    short = {say(f"weakness.{kind}", margin=trimmed(summary.margin)): name for kind, name in LONG.items()}
    again: dict[str, int] = {}
    texts = []
    for kind, count in counts.items():
        if kind in told and kind in short:
            again[short[kind]] = again.get(short[kind], 0) + count
        elif len(cells) > 1:
            texts.append(say("weakness.at_ratios", what=kind, count=count))
        else:
            texts.append(by_cell[0][kind])
        told.add(kind)
    texts += [say(f"weakness.again_{name}", count=count) for name, count in again.items()]
    return say("weakness.frame", notes="; ".join(texts)) if texts else ""


def _weaknesses(cell: Cell, summary: Summary) -> dict[str, str]:
    """Each in words: the kind, and how often it occurs."""
    weaknesses: dict[str, str] = {}
    for name, side in (("check", cell), ("control", control_of(cell, summary))):
        if side is None:
            continue
        accuracy = say("weakness.counted_zero" if side.zeroed else f"weakness.counted_{summary.metric}")
        counts = {
            say("weakness.diverged", side=say(f"side.{name}"), counted=accuracy): len(side.diverged),
            say("weakness.emptied", side=say(f"side.{name}")): side.collapsed_runs,
        }
        for kind, count in counts.items():
            if count:
                weaknesses[kind] = say("weakness.of_runs", count=count, runs=side.accuracy.n, what=kind)
    if cell.comparison and cell.comparison.unpaired and cell.comparison.difference.n:
        runs = counted(cell.comparison.unpaired, "run")
        weaknesses[say("weakness.unpaired")] = say("weakness.unpaired_runs", runs=runs)
    if cell.comparison and cell.comparison.in_groups:
        kind = say("weakness.groups")
        listed = ", ".join(f"{points(moved, signed=True)} (seed {seed})" for seed, moved in cell.comparison.seeds)
        weaknesses[kind] = say("weakness.listed", what=kind, differences=listed)
    if reason := could_not_fail(cell, summary):
        kind = say(f"weakness.easy_{reason}", margin=trimmed(summary.margin))
        weaknesses[kind] = kind
    if unexpected := contradiction(cell):
        weaknesses[unexpected] = unexpected
    return weaknesses
