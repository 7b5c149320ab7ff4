"""What stands around the comparisons: a report's first sentences, the notes on a cell, the key and the legend."""

import math
from collections.abc import Sequence

import pandas as pd

from reports.channels import Smaller
from reports.comparisons import VERDICTS, WIDER
from reports.controls import contradiction
from reports.escape import visible
from reports.layers import layer_names
from reports.method_sentences import told_in_short
from reports.noise_floor import noise_floors
from reports.paper import PaperDelta
from reports.records import CONTROL
from reports.references import could_not_fail
from reports.sentences import control_of, times_in_100
from reports.statistics import Cell, Summary
from reports.text import counted, say
from reports.verify import repeats_told
from reports.wording import (
    method_name,
    percent,
    points,
    rounded_percent,
    span,
    trimmed,
    verdict_name,
)

DISCONNECTED = 0.9  # a few kept weights without a way through are usual, a tenth of them is worth saying
LISTED = 3  # differences to printed numbers that are named one by one


def overview(summary: Summary) -> str:
    """How the comparisons with the controls and of the methods ended, in numbers, and what is still to be run."""
    verdicts = [cell.comparison.verdict for cell in summary.cells if cell.comparison]
    counts = ", ".join(
        f"{verdicts.count(verdict)} {verdict_name(verdict)}" for verdict in VERDICTS if verdict in verdicts
    )
    first = say("overview.verdicts", count=counted(len(verdicts), "comparison"), verdicts=counts) if verdicts else ""
    return " ".join(filter(None, (first, _could_not_fail(summary), *told_in_short(summary), unfinished(summary))))


def _could_not_fail(summary: Summary) -> str:
    """How many of the checks without effect could not have had one, since random pruning does as well there."""
    reasons = [could_not_fail(cell, summary) for cell in summary.cells]
    dense, ticket = reasons.count("dense"), reasons.count("ticket")
    if not dense + ticket:
        return ""
    equivalent = sum(cell.comparison is not None and cell.comparison.verdict == "equivalent" for cell in summary.cells)
    return say("overview.easy", easy=dense + ticket, equivalent=equivalent, margin=trimmed(summary.margin),
               dense=dense, ticket=ticket)  # fmt: skip


def unfinished(summary: Summary) -> str:
    asked = sum(cell.asked for cell in summary.cells)
    there = sum(min(cell.accuracy.n, cell.asked) for cell in summary.cells)
    return say("overview.unfinished", there=f"{there:,}", asked=f"{asked:,}") if there < asked else ""


def against_papers(cells: Sequence[Cell]) -> list[str]:
    """How many of the printed numbers were reproduced, how far off ours are, and what was not run."""
    measured = [cell for cell in cells if cell.paper and cell.paper.ours.n]
    unrun = [cell for cell in cells if cell not in measured]
    if not measured:
        return [say("overview.printed_unrun", printed=counted(len(cells), "printed number"))] if cells else []
    judged = [cell for cell in measured if _paper(cell).inside is not None]
    sentences = []
    if judged:
        inside = sum(bool(_paper(cell).inside) for cell in judged)
        sentences.append(say(_outcome(inside, len(judged)), inside=inside, differences=_differences(judged),
                             by_model=_by_model(judged), printed=counted(len(judged), "printed number")))  # fmt: skip
        kinds = {_paper(cell).errors for cell in judged}
        errors = "".join(say(f"overview.errors_{kind}") for kind in ("assumed", "ours") if kind in kinds)
        sentences.append(say("overview.criterion", errors=errors))
    if len(judged) < len(measured):
        more = counted(len(measured) - len(judged), "measured cell")
        sentences.append(say("overview.not_judged", measured=more))
    if unrun:
        models = sorted({cell.model for cell in unrun})
        apart = not {cell.model for cell in measured} & set(models)
        named = say("overview.models", models=", ".join(models)) if apart else ""
        key = "overview.not_run_one" if len(unrun) == 1 else "overview.not_run"
        sentences.append(say(key, count=len(unrun), models=named))
    return sentences


def _outcome(inside: int, judged: int) -> str:
    """The template for so many of the judged numbers being reproduced."""
    if judged == 1:
        return "overview.reproduced_one" if inside else "overview.reproduced_not_one"
    if not inside:
        return "overview.reproduced_none"
    return "overview.reproduced_all" if inside == judged else "overview.reproduced_some"


def _by_model(cells: Sequence[Cell]) -> str:
    """How many numbers of each network were reproduced, where there are several networks."""
    models = list(dict.fromkeys(cell.model for cell in cells))
    if len(models) < 2:
        return ""
    parts = [
        say("overview.of_model", model=model, judged=sum(cell.model == model for cell in cells),
            inside=sum(cell.model == model and bool(_paper(cell).inside) for cell in cells))
        for model in models
    ]  # fmt: skip
    return say("overview.by_model", parts=", ".join(parts))


def _differences(cells: Sequence[Cell]) -> str:
    """How far our means lie from the paper's: each by name where they are few, else the range."""
    if len(cells) > LISTED:
        return say("overview.differences", span=span([_paper(cell).delta for cell in cells]))
    several = len({cell.model for cell in cells}) > 1
    return ", ".join(_difference(cell, f" ({cell.model})" if several else "") for cell in cells)


def _difference(cell: Cell, model: str) -> str:
    """How far our mean of one cell lies from the paper's: "dense is 0.34 points higher"."""
    delta = round(_paper(cell).delta, 2)
    kind = "higher" if delta > 0 else "lower" if delta < 0 else "equal"
    at = f" at {percent(cell.ratio)}" if cell.ratio else ""
    check = "" if cell.check == CONTROL else f", {cell.check}"
    return say(f"overview.{kind}", cell=f"{method_name(cell.method)}{at}{check}{model}", by=points(abs(delta)))


def _paper(cell: Cell) -> PaperDelta:
    assert cell.paper is not None  # by the selection of the callers
    return cell.paper


def notes(cell: Cell) -> list[str]:
    """What a reader must know of a cell besides its accuracy, in words; the same in every format."""
    runs = cell.accuracy.n + cell.missing + sum(cell.failed.values()) + sum(cell.unusable.values())
    texts = [say("note.failed", count=count, runs=runs, reason=reason) for reason, count in cell.failed.items()]
    texts += [say("note.unusable", count=count, runs=runs, reason=reason) for reason, count in cell.unusable.items()]
    if cell.missing:
        texts.append(say("note.missing", count=cell.missing, runs=runs))
    if cell.diverged:
        diverged = ", ".join(map(str, cell.diverged))
        texts.append(say("note.diverged", count=len(cell.diverged), runs=cell.accuracy.n, seeds=diverged))
    if cell.collapsed:
        names = layer_names([cell])
        layers = ", ".join(names.get(name, name.removesuffix(".weight")) for name in cell.collapsed)
        texts.append(say("note.emptied", count=cell.collapsed_runs, runs=cell.accuracy.n, layers=layers))
    if cell.best_epochs:
        texts.append(say("note.best_epoch", epochs=f"epoch {', '.join(map(str, cell.best_epochs))}"))
    if cell.smaller is not None:
        texts += _without_channels(cell.smaller)
    by_counts = cell.match == "counts" and cell.smaller is None
    if by_counts and not math.isnan(cell.actual_ratio) and abs(cell.actual_ratio - cell.ratio) > 5e-4:
        texts.append(say("note.ratio", actual=percent(round(cell.actual_ratio, 5)), asked=percent(cell.ratio)))
    if any(cell.off_budget):
        texts.append(say("note.budget", span=_off_budget(cell.off_budget)))
    if cell.repeat_differs:
        texts.append(say("note.repeat", count=f"{cell.repeat_differs:,}", weights=f"{cell.prunable:,.0f}"))
    kept = 1 - cell.actual_ratio
    if by_counts and not cell.collapsed and cell.effective_density < DISCONNECTED * kept:
        dead = rounded_percent(1 - cell.effective_density / kept)
        live = rounded_percent(cell.effective_density)
        texts.append(say("note.dead", dead=dead, kept=rounded_percent(kept), live=live))
    return [*filter(None, [contradiction(cell)]), *texts]


def _without_channels(smaller: Smaller) -> list[str]:
    """What a network has without its removed channels, and how much faster it is, where that was measured."""
    parameters, operations = rounded_percent(smaller.parameters), rounded_percent(smaller.operations)
    texts = [say("note.smaller", parameters=parameters, operations=operations)]
    if smaller.devices:
        times = {"forward": f"{smaller.forward:.1f}", "step": f"{smaller.step:.1f}"}
        texts.append(say("note.faster", **times, images=smaller.batch, device=" and ".join(smaller.devices)))
    return texts


def _off_budget(counts: Sequence[int]) -> str:
    """By how many weights tickets miss the budget: "1 more", "3 fewer to 2 more"."""
    ends = dict.fromkeys((counts[0], counts[-1]))
    keys = {off: "note.more" if off > 0 else "note.fewer" if off else "note.exactly" for off in ends}
    return " to ".join(say(key, count=f"{abs(off):,}") for off, key in keys.items())


def flaws(cell: Cell, summary: Summary) -> list[str]:
    """What weakens a comparison: the notes on its cell and on the control's."""
    control = control_of(cell, summary)
    return list(dict.fromkeys(notes(cell) + (notes(control) if control else [])))


def own_notes(cell: Cell, summary: Summary) -> list[str]:
    """The notes on a cell that its unperturbed ticket, whose row is there too, does not bear as well."""
    control = control_of(cell, summary) if cell.check != CONTROL else None
    shared = notes(control) if control else []
    return [note for note in notes(cell) if note not in shared]


def remarks(frame: pd.DataFrame) -> list[str]:
    """What a reader must know of the records as a whole: which were not trained here, and which cannot be read."""
    texts = []
    packed = int((frame["origin"] == "packed").sum()) if "origin" in frame.columns else 0
    again = repeats_told(frame)
    if packed and again:
        texts.append(say("remark.packed_verified", runs=counted(packed, "run"), outcome=again))
    elif packed:
        texts.append(say("remark.packed", runs=counted(packed, "run")))
    elif again:
        texts.append(say("remark.verified", outcome=again))
    if "match" in frame.columns and frame["match"].eq("live").any():
        texts.append(say("remark.live"))
    damaged = frame[(frame["status"] == "unreadable") & frame["method"].isna()] if "method" in frame.columns else frame
    if len(damaged):
        are = say("remark.one" if len(damaged) == 1 else "remark.many")
        reason = visible(str(damaged["reason"].iloc[0])) if "reason" in damaged.columns else ""
        texts.append(say("remark.unreadable", cells=counted(len(damaged), "cell"), are=are, reason=reason))
    return texts


def share(cells: Sequence[Cell]) -> str:
    """What the ratios of some cells of one network are shares of, and what is never pruned; empty if not recorded."""
    of_weights = [cell for cell in cells if cell.smaller is None and cell.ratio]  # of channels a note says it
    counts = sorted({cell.prunable for cell in of_weights if not math.isnan(cell.prunable)})
    if not counts:
        return ""
    weights = " to ".join(f"{count:,.0f}" for count in dict.fromkeys((counts[0], counts[-1])))
    dense = {name: size for cell in cells for name, size in cell.left_dense.items()}
    if not dense:
        return say("share.pruned", weights=weights)
    names, rest = ", ".join(list(dense)[:LISTED]), len(dense) - LISTED
    named = say("share.many", names=names, rest=rest) if rest > 0 else names
    left = sum(dense.values())
    part = f"{100 * left / (left + counts[-1]):.2g} %"
    return say("share.left", weights=weights, count=f"{left:,.0f}", share=part, names=named)


def meaning(verdict: str, summary: Summary) -> str:
    """What a verdict means, for the key of a report."""
    interval, test = percent(1 - 2 * summary.alpha), say(f"meaning.test_{summary.design}")
    margin, bound = trimmed(summary.margin), trimmed(WIDER * summary.margin)
    sure = times_in_100(1 - summary.alpha)
    return say(f"meaning.{verdict}", interval=interval, margin=margin, bound=bound, test=test, sure=sure)


def legend(summary: Summary) -> str:
    """What the columns mean, and how often the verdicts err."""
    accuracy = say("legend.accuracy", metric=summary.metric)
    if not any(cell.comparison for cell in summary.cells):
        return accuracy
    margin, error = trimmed(summary.margin), percent(summary.alpha)
    claims = {(*cell.setting, cell.method, cell.check) for cell in summary.cells if cell.comparison}
    texts = [
        accuracy,
        say("legend.comparison", margin=margin, equal=percent(1 - 2 * summary.alpha), error=percent(1 - summary.alpha)),
        say("legend.errors", margin=margin, times=times_in_100(summary.alpha), error=error,
            claims=counted(len(claims), "claim")),
        say(f"legend.{summary.design}"),
    ]  # fmt: skip
    if not all(math.isnan(floor) for floor in map(noise_floors(summary.cells), summary.cells)):
        texts.insert(2, say("legend.resample"))
    if summary.methods:
        texts.append(say("legend.methods"))
    if summary.looked_at:
        texts.append(say("legend.looked_at", count=counted(summary.looked_at, "seed")))
    return " ".join(texts)
