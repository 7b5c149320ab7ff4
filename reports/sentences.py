"""One plain sentence for each comparison: what was done to the ticket or its data, what moved, what that means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.records import CONTROL
from reports.statistics import VERDICTS, Cell, Comparison, Summary
from reports.wording import method_name, percent, percents, points, seeds, span, with_half


@dataclass(frozen=True)
class Phrase:
    """`action`: what the check does. `subject`: what it destroys. `identical`: what follows if no ticket changed."""

    action: str
    subject: str
    plural: bool = False
    identical: str = "there was nothing for the check to change"


SEARCH = "the search does not use "
DISCONNECTED = 0.9  # a few kept weights without a way through are usual, a tenth of them is worth saying
PHRASES = {
    "random_labels": Phrase(
        "searching with random labels", "the labels that the search sees", True, SEARCH + "the labels"
    ),
    "random_pixels": Phrase(
        "searching with random pixels", "the images that the search sees", True, SEARCH + "the images"
    ),
    "half_dataset": Phrase(
        "searching with half of the data", "the other half of the data", False, SEARCH + "the data"
    ),
    "layerwise_rearrange": Phrase(
        "rearranging the mask within layers", "which weights are kept inside a layer",
        identical="the layers that it could rearrange are dense or empty",
    ),
    "layerwise_shuffle": Phrase(
        "shuffling the weights within layers", "which value sits on which kept connection of a layer",
    ),
    "reinit": Phrase(
        "drawing the kept weights anew", "the values that the kept weights start from", True,
    ),
    "invert": Phrase(
        "keeping the lowest scores instead of the highest", "which end of the scores is kept",
    ),
}  # fmt: skip


def phrase(check: str) -> Phrase:
    """The wording for a check, for a composition of known checks, or, with its name in it, for one unknown here; the
    options of a known one stand behind what it does."""
    parts = [part.partition("[") for part in check.split("+")]
    if all(name in PHRASES for name, _, _ in parts):
        known = [
            replace(PHRASES[name], action=PHRASES[name].action + (f" ({options.rstrip(']')})" if bracket else ""))
            for name, bracket, options in parts
        ]
        if len(known) == 1:
            return known[0]
        uses = all(one.identical.startswith(SEARCH) for one in known)
        together = SEARCH + " or ".join(one.identical.removeprefix(SEARCH) for one in known)
        return Phrase(
            " and ".join(one.action for one in known),
            "what these destroy together",
            identical=together if uses else Phrase.identical,
        )
    return Phrase(f"the check '{check}'", "what it destroys")


def sentence(cells: Sequence[Cell], summary: Summary) -> str:
    """What the comparisons of `cells` to their controls found: one cell, or several that differ in the ratio alone and
    have one verdict. Raises `ValueError` for a cell without a comparison.

    The number after ± is half the 95 % interval; n is the number of seeds that both sides have.
    """
    if any(cell.comparison is None for cell in cells):
        raise ValueError(f"{cells[0].method} with check {cells[0].check} is not compared with anything")
    name = f"{method_name(cells[0].method)} at {where(cells, summary)}"
    return f"{name}: {_finding(cells, phrase(cells[0].check), summary)}.{_caveat(cells, summary)}"


def where(cells: Sequence[Cell], summary: Summary) -> str:
    """The ratios of cells of one method: "98 %"; as ranges where they follow each other in the table."""
    first = cells[0]
    every = [cell.ratio for cell in summary.select(setting=first.setting, method=first.method)]
    return percents([cell.ratio for cell in cells], every)


def change(cells: Sequence[Cell]) -> tuple[str, str]:
    """How far the check moved accuracy, in points: one cell with half its 95 % interval and nothing; of several the
    lowest to the highest, and the widest interval."""
    found = [one.difference for one in _comparisons(cells)]
    if len(found) == 1:
        return with_half(found[0].mean, found[0].half), ""
    widest = max((one.half for one in found if not math.isnan(one.half)), default=math.nan)
    return span([one.mean for one in found]), "" if math.isnan(widest) else f"± {widest:.2f} at most"


def _comparisons(cells: Sequence[Cell]) -> list[Comparison]:
    return [cell.comparison for cell in cells if cell.comparison]


def _finding(cells: Sequence[Cell], words: Phrase, summary: Summary) -> str:
    found = _comparisons(cells)
    verdict = found[0].verdict
    if verdict == "missing":
        return f"{words.action} has not been compared: {absent(cells)}"
    runs = sorted({one.difference.n for one in found})
    n = f"n = {runs[0]}" + (f" to {runs[-1]}" if len(runs) > 1 else "")
    by, error = change(cells)
    if verdict == "identical":
        unmoved = f"{words.action} left the ticket as it was, weight for weight ({n})"
        return f"{unmoved}, so nothing can differ: {words.identical}"
    moved = f"{words.action} changed accuracy by {by} points ({', '.join(filter(None, (error, n)))})"
    if verdict == "equivalent":
        verb = "do not matter" if words.plural else "does not matter"
        margin = f"equivalent within {points(summary.margin).rstrip('0').rstrip('.')} points"
        return f"{moved}: {words.subject} {verb} ({margin})"
    if verdict == "different":
        return f"{moved}: {words.subject} {'matter' if words.plural else 'matters'}"
    return f"{moved}: undecided, {_wanted(found)}"


def absent(cells: Sequence[Cell]) -> str:
    """Why none of the cells is compared."""
    if not any(cell.accuracy.n for cell in cells):
        return "every run failed" if all(cell.failed for cell in cells) else "no run is there"
    if all(cell.accuracy.n for cell in cells):
        return "no run of the unperturbed ticket with the same seed is there"
    return "no two runs of the same seed are there"


def has_error(cell: Cell) -> bool:
    """Whether the difference has an interval: several seeds, and not all alike."""
    return cell.comparison is not None and not math.isnan(cell.comparison.difference.half)


def _wanted(found: Sequence[Comparison]) -> str:
    if all(one.difference.n < 2 for one in found):
        return "since one seed says nothing of the error; at least 2 are needed"
    if any(math.isnan(one.difference.half) for one in found):
        return "since seeds that all differ by the same amount say nothing of the error; more are needed"
    least, most = (seeds(end(found, key=lambda one: one.seeds_needed)) for end in (min, max))
    return f"{least} would decide it" if least == most else f"{least} would decide the nearest of them, {most} all"


def _caveat(cells: Sequence[Cell], summary: Summary) -> str:
    """What makes the numbers weaker than they look: diverged runs, emptied layers, seeds without a pair."""
    found = [_weaknesses(cell, summary) for cell in cells]
    told = list(found[0].values())
    if len(cells) > 1:
        kinds = dict.fromkeys(kind for one in found for kind in one)
        told = [f"{kind} at {sum(kind in one for one in found)} of these ratios" for kind in kinds]
    return f" Note: {'; '.join(told)}." if told else ""


def _weaknesses(cell: Cell, summary: Summary) -> dict[str, str]:
    """Each in words: the kind, and how often it occurs."""
    control = _control(cell, summary)
    found = {}
    counted = "as chance" if summary.metric == "last" else "with the best epoch before"
    for name, side in (("with it", cell), ("without it", control)):
        if side is not None and side.diverged:
            what = f"runs {name} diverged (counted {counted})"
            found[what] = f"{len(side.diverged)} of {side.accuracy.n} {what}"
        if side is not None and side.collapsed_runs:
            what = f"tickets {name} empty a layer"
            found[what] = f"{side.collapsed_runs} of {side.accuracy.n} {what}"
    if cell.comparison and cell.comparison.unpaired and cell.comparison.difference.n:
        what = "runs have no partner of the same seed"
        found[what] = f"{cell.comparison.unpaired} {what}"
    return found


def _control(cell: Cell, summary: Summary) -> Cell | None:
    return next(iter(summary.select(setting=cell.setting, method=cell.method, ratio=cell.ratio, check=CONTROL)), None)


def flaws(cell: Cell, summary: Summary) -> list[str]:
    """What weakens a comparison: the notes on its cell and on the control's."""
    control = _control(cell, summary)
    return notes(cell) + (notes(control) if control else [])


def overview(summary: Summary) -> str:
    """The report's first sentences: how the comparisons with the controls ended, and those with the paper."""
    verdicts = [cell.comparison.verdict for cell in summary.cells if cell.comparison]
    told = "No check is part of these results, so there is nothing to compare with the unperturbed tickets."
    if verdicts:
        counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS if verdict in verdicts}
        parts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        noun = "comparison" if len(verdicts) == 1 else "comparisons"
        told = f"{len(verdicts)} {noun} with the unperturbed ticket: {parts}."
    return " ".join(filter(None, (told, _against_papers(summary), _unfinished(summary))))


def _unfinished(summary: Summary) -> str:
    asked = sum(cell.asked for cell in summary.cells)
    there = sum(min(cell.accuracy.n, cell.asked) for cell in summary.cells)
    return f"{there:,} of the {asked:,} runs that the table asks for are there." if there < asked else ""


def _against_papers(summary: Summary) -> str:
    papers = [cell.paper for cell in summary.cells if cell.paper]
    measured = [paper for paper in papers if paper.ours.n]
    if not papers:
        return ""
    told = f"Of {len(papers)} printed number{'s' * (len(papers) > 1)}, {len(measured)} can be compared"
    if not measured:
        return f"{told}."
    judged = [paper for paper in measured if paper.inside is not None]
    inside = (
        f"; {sum(bool(paper.inside) for paper in judged)} of {len(judged)} lie inside our interval" if judged else ""
    )
    return f"{told} with ours{inside}. Ours minus the paper's: {span([paper.delta for paper in measured])} points."


def notes(cell: Cell) -> list[str]:
    """What a reader must know of a cell besides its accuracy, in words; the same in every format."""
    found = []
    whole = cell.accuracy.n + cell.missing + sum(cell.failed.values())
    for reason, count in cell.failed.items():
        found.append(f"{count} of {whole} runs failed: {reason}")
    if cell.missing:
        found.append(f"{cell.missing} of {whole} runs missing")
    if cell.diverged:
        found.append(
            f"{len(cell.diverged)} of {cell.accuracy.n} runs diverged (seed {', '.join(map(str, cell.diverged))})"
        )
    if cell.collapsed:
        names = ", ".join(name.removesuffix(".weight") for name in cell.collapsed)
        found.append(f"{cell.collapsed_runs} of {cell.accuracy.n} tickets with an empty layer: {names}")
    if not math.isnan(cell.actual_ratio) and abs(cell.actual_ratio - cell.ratio) > 5e-4:
        found.append(f"ratio is {percent(round(cell.actual_ratio, 5))}, not {percent(cell.ratio)}")
    if not cell.collapsed and cell.effective_density < DISCONNECTED * (1 - cell.actual_ratio):
        found.append(f"only {percent(round(cell.effective_density, 5))} of the weights lie on a path to the output")
    return found
