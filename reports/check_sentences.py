"""Says in words what one check did to all methods at all sparsities, with the numbers that carry it."""

import math
from collections.abc import Iterator, Mapping, Sequence

from reports.comparisons import WIDER
from reports.labels import parse
from reports.phrases import phrase
from reports.sentences import change
from reports.statistics import Cell, Summary
from reports.text import counted, opened, say
from reports.wording import (
    DATASETS,
    EN_DASH,
    METHODS,
    by_seed,
    counted_points,
    method_name,
    percents,
    points,
    span,
    trimmed,
)

KINDS = {
    "effect": ("different",),
    "likely": ("likely different",),
    "none": ("identical", "equivalent", "small or none"),
    "open": ("undecided",),
    "untestable": ("not testable",),
    "missing": ("missing",),
}
NAMED = 3  # methods that are named one by one
APART = 2  # groups of methods at different sparsities that are told one by one

Unit = tuple[tuple[str, str, str], str]
"""Whose tickets a check is made on: setting and method."""


def kind_of(cell: Cell) -> str:
    """The key of `KINDS` to which the verdict of a compared cell belongs."""
    verdict = cell.compared.verdict
    return next(kind for kind, verdicts in KINDS.items() if verdict in verdicts)


def unit_of(cell: Cell) -> Unit:
    return cell.setting, cell.method


def family_name(label: str) -> str:
    """ "snip@lee2019[biases=never]" -> "SNIP"."""
    name = parse(label)[0].name
    return METHODS.get(name, name)


def names_of(cells: Sequence[Cell]) -> Mapping[Unit, str]:
    """How the methods of some cells are called: as shortly as tells them apart, with the setting where it differs."""
    units = list(dict.fromkeys(map(unit_of, cells)))
    labels = list(dict.fromkeys(label for _, label in units))
    families = [family_name(label) for label in labels]
    short = {label: family if families.count(family) == 1 else method_name(label)
             for label, family in zip(labels, families, strict=True)}  # fmt: skip
    several = len({setting for setting, _ in units}) > 1
    return {unit: short[unit[1]] + (f" ({_setting(unit[0])})" if several else "") for unit in units}


def _setting(setting: tuple[str, str, str]) -> str:
    return ", ".join((DATASETS.get(setting[0], setting[0]), *setting[1:]))


def who(units: Sequence[Unit], names: Mapping[Unit, str]) -> str:
    """Some of the methods: by name where they are few, else by their number."""
    if len(units) == len(names) > 1:
        return say("lead.both" if len(names) == 2 else "lead.all_methods", count=len(names))
    if len(units) > NAMED:
        return say("lead.some_methods", count=len(units), all=len(names))
    return listed([names[unit] for unit in units])


def listed(texts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def told(cells: Sequence[Cell], summary: Summary, opening: str = "") -> str:
    """What a check did, in one to four sentences: effects, likely ones, where there is none, what is open.

    cells: every comparison of the check with the methods that are asked about. opening: stands before the first
        sentence, which then goes on in small letters.
    """
    action, it = phrase(cells[0].check, cells[0].check_words).action, say("lead.it")
    names = names_of(cells)
    sentences: list[str] = []
    for kind in KINDS:
        group = [cell for cell in cells if kind_of(cell) == kind]
        for template, values in _parts(kind, group, cells, names, summary) if group else ():
            sentence = say(template, action=it if sentences else action, **values)
            sentences.append(sentence if opening and not sentences else opened(sentence, names.values()))
    return opening + " ".join(sentences)


Sentence = tuple[str, dict[str, str]]
"""A template, and what fills it but for the check's action."""


def _parts(
    kind: str, group: Sequence[Cell], cells: Sequence[Cell], names: Mapping[Unit, str], summary: Summary
) -> Iterator[Sentence]:
    """The sentences about the comparisons of one kind."""
    if kind in ("effect", "likely"):
        for side, word in ((-1, "costs"), (1, "gains")):
            if moved := [cell for cell in group if (_mean(cell) < 0) == (side < 0)]:
                yield f"lead.{kind}_{word}", {"amounts": _amounts(moved, side, cells, names)}
    elif kind == "none":
        yield _none(group, cells, names, summary)
    else:
        yield (
            f"lead.{kind}_{'all' if len(group) == len(cells) else 'some'}",
            {
                "who": who(_units(group), names),
                "where": where(group, cells),
                "count": say("lead.of_all", count=len(group), all=len(cells)),
                "places": _places(group, cells, names),
                "n": seeds_of(group),
                "estimates": _estimates(group),
            },
        )


def where(group: Sequence[Cell], cells: Sequence[Cell]) -> str:
    """ " at 95 and 98 % sparsity" among the sparsities of `cells`; "at every sparsity" where these are all."""
    every = sorted({cell.ratio for cell in cells})
    ratios = sorted({cell.ratio for cell in group})
    if len(ratios) == len(every) > 1:
        return say("lead.everywhere")
    return say("lead.at", where=percents(ratios, every))


def seeds_of(cells: Sequence[Cell]) -> str:
    """ "3 seeds", or "3 to 6 seeds": the pairs of each comparison."""
    counts = [cell.compared.difference.n for cell in cells]
    lowest = f"{min(counts)} to " if min(counts) < max(counts) else ""
    return lowest + counted(max(counts), "seed")


def _estimates(cells: Sequence[Cell]) -> str:
    key = "lead.estimate" if len(cells) == 1 else "lead.estimates"
    return say(key, estimates=span([_mean(cell) for cell in cells]))


def groups_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells of methods that are there at the same sparsities, together."""
    ratios: dict[Unit, list[float]] = {}
    for cell in cells:
        ratios.setdefault(unit_of(cell), []).append(cell.ratio)
    groups: dict[tuple[float, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(sorted(ratios[unit_of(cell)])), []).append(cell)
    return list(groups.values())


def _places(group: Sequence[Cell], cells: Sequence[Cell], names: Mapping[Unit, str]) -> str:
    """Which methods at which sparsities, where that is said in a few words; else empty."""
    groups = groups_of(group)
    if len(groups) > APART:
        return ""
    return say("lead.places", places=listed([who(_units(part), names) + where(part, cells) for part in groups]))


def _amounts(cells: Sequence[Cell], side: int, every: Sequence[Cell], names: Mapping[Unit, str]) -> str:
    """By how many points accuracy fell (side -1) or rose (1), of which methods, at which sparsities."""
    groups = groups_of(cells)
    if len(groups) <= APART:
        return listed([_amount(part, side, every, names, where(part, every)) for part in groups])
    ratios = {cell.ratio for cell in cells}
    ends = percents([min(ratios), max(ratios)], [*ratios]).replace(EN_DASH, " and ")
    most = max(cells, key=lambda cell: abs(_mean(cell)))
    numbers = say("lead.most", who=names[unit_of(most)], where=where([most], every), numbers=_numbers([most], side))
    return say("lead.amount", who=who(_units(cells), names), points=_points(cells), numbers=numbers,
               where=say("lead.between", ends=ends) if len(ratios) > 1 else where(cells, every))  # fmt: skip


def _amount(cells: Sequence[Cell], side: int, every: Sequence[Cell], names: Mapping[Unit, str], at: str) -> str:
    return say("lead.amount", who=who(_units(cells), names), points=_points(cells), where=at,
               numbers=_numbers(cells, side))  # fmt: skip


def _points(cells: Sequence[Cell]) -> str:
    amounts = [abs(_mean(cell)) for cell in cells]
    return " to ".join(dict.fromkeys(points(end) for end in (min(amounts), max(amounts))))


def _numbers(cells: Sequence[Cell], side: int) -> str:
    """The interval that decided, counted as the amount is, or the single seeds, and the number of seeds."""
    comparisons = [cell.compared for cell in cells]
    if any(comparison.scattered or math.isnan(comparison.low) for comparison in comparisons):
        return say("lead.seeds", seeds=by_seed(comparisons), n=seeds_of(cells))
    ends = [side * end for comparison in comparisons for end in (comparison.low, comparison.high)]
    key = "lead.interval" if len(cells) == 1 else "lead.intervals"
    return say(key, low=points(min(ends)), high=points(max(ends)), n=seeds_of(cells))


def _none(group: Sequence[Cell], cells: Sequence[Cell], names: Mapping[Unit, str], summary: Summary) -> Sentence:
    """Where a check changed nothing, or little at most."""
    runs = seeds_of(group)
    units, ratios = _units(group), sorted({cell.ratio for cell in group})
    whose = {"who": who(units, names), "where": where(group, cells)}
    rectangle = len(group) == len(units) * len(ratios)
    if rectangle and all(cell.compared.verdict == "identical" for cell in group):
        return "lead.same", {**whose, "n": runs}
    small = sum(cell.compared.verdict == "small or none" for cell in group)
    closer = say("lead.closer", count=len(group) - small, margin=trimmed(summary.margin))
    values = {
        "bound": counted_points(WIDER * summary.margin if small else summary.margin),
        "closer": closer if 0 < small < len(group) else "",
        "change": change([cell for cell in group if cell.compared.verdict != "identical"]),
        "n": runs,
    }
    if rectangle:
        return "lead.none", {**whose, **values}
    full = [cell for cell in group if _holds_for_all(cell.ratio, group, cells)]
    among = say("lead.among", where=where(full, cells)) if _is_run(full, cells) else ""
    return "lead.none_in", {"count": say("lead.of_all", count=len(group), all=len(cells)), "among": among, **values}


def _holds_for_all(ratio: float, group: Sequence[Cell], cells: Sequence[Cell]) -> bool:
    return sum(cell.ratio == ratio for cell in group) == sum(cell.ratio == ratio for cell in cells)


def _is_run(part: Sequence[Cell], cells: Sequence[Cell]) -> bool:
    """Whether the sparsities of some cells follow each other among all; False for none."""
    every = sorted({cell.ratio for cell in cells})
    places = sorted({every.index(cell.ratio) for cell in part})
    return bool(places) and places[-1] - places[0] == len(places) - 1


def _units(cells: Sequence[Cell]) -> list[Unit]:
    return list(dict.fromkeys(map(unit_of, cells)))


def _mean(cell: Cell) -> float:
    return cell.compared.difference.mean
