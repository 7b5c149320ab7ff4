"""Asks the reports' statistics which comparisons are open, and says how a run with `seeds=auto` stands or ended."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import reports
from reports.text import counted, say
from sanity.config import RunConfig
from sanity.console.durations import duration
from sanity.grid.design import SECONDS
from sanity.grid.rounds import Judge, Outlook, Place

if TYPE_CHECKING:
    import pandas as pd


def judge(config: RunConfig) -> Judge:
    """Returns what decides for a run of these keys which comparisons are open."""

    def further_seeds(frame: "pd.DataFrame") -> Mapping[Place, float]:
        from reports.margin import margin_of  # which imports pandas

        margin = margin_of(frame) if config.margin == "auto" else config.margin
        listed = reports.open_comparisons(frame, reports.Analysis(config.metric, margin, design="sequential"))
        return {
            (each.dataset, each.model, each.recipe, each.method, each.check, each.ratio): each.missing
            for each in listed
        }

    return further_seeds


def ended(outlook: Outlook, config: RunConfig) -> str:
    """Says how many seeds were spent, and why no more."""
    return _say("ended", outlook, config, end=_say(f"end.{outlook.end.replace(' ', '_')}", outlook, config))


def forecast(outlook: Outlook, config: RunConfig, trainings: int) -> str:
    """Says which seeds are probably ahead. trainings: how many the next step has."""
    if outlook.end:
        return ended(outlook, config)
    if not outlook.hours:
        return _say("forecast.unknown", outlook, config, trainings=counted(trainings, "training"))
    unknown = _say("forecast.spread", outlook, config) if outlook.unknown else ""
    return _say("forecast.known", outlook, config, trainings=counted(trainings, "training"), unknown=unknown)


def _say(key: str, outlook: Outlook, config: RunConfig, **values: object) -> str:
    seeds = counted(outlook.most, "seed")
    return say(
        f"spent.{key}",
        seeds=seeds if outlook.fewest == outlook.most else f"{outlook.fewest} to {seeds}",
        comparisons=counted(outlook.comparisons, "comparison"),
        decided=outlook.comparisons - outlook.open,
        open=outlook.open,
        unknown_count=outlook.unknown,
        hours=duration(outlook.hours * SECONDS),
        cells=counted(outlook.cells_ahead, "ticket"),
        hours_ahead=duration(outlook.hours_ahead * SECONDS),
        max_seeds=config.max_seeds,
        max_hours=f"{config.max_hours:g}",
        **values,
    )
