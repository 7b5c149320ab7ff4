"""How a report's numbers came about: what ran where, on which data, for how long; whatever differs is listed apart."""

from collections import Counter

import pandas as pd

from reports.escape import visible
from reports.origin import UNKNOWN, Origin
from reports.records import ran
from reports.text import say
from sanity.console.durations import duration

Entry = tuple[str, str]

COLUMNS = {
    "dataset": "data set",
    "data_digest": "data digest (SHA-256)",
    "model": "model",
    "recipe": "recipe",
    "overrides": "overrides",
    "recipe_in_full": "recipe in full",
    "epochs": "epochs",
    "seed": "seeds",
    "device": "device",
    "precision": "precision",
    "deterministic": "deterministic",
    "commit": "commit",
    "paths_unknown": "effective density unknown",
}


COMMAND, TRAINED_BY, REPORTED_BY = "command", "trained by", "report made by"
COMMANDS = (COMMAND, TRAINED_BY, REPORTED_BY)
UNREAD = ("layers", "collapsed", "curve", "moments", "small", "early_bird", "check_words", "search_cost", "operations")
"""Columns of which nothing here is said; some take long to check."""


def entries(frame: pd.DataFrame, origin: Origin = UNKNOWN) -> list[Entry]:
    """(label, value) pairs for "how it was run". Several values are all named, each with its number of runs.

    frame: records that `validation.cleaned` has gone through.
    """
    done = ran(frame)
    rows: list[Entry] = [(TRAINED_BY, "\n".join(map(visible, origin.trained_by)))] if origin.trained_by else []
    rows += [(REPORTED_BY if origin.trained_by else COMMAND, visible(origin.command))] if origin.command else []
    rows += [(say("spent.label"), visible(origin.spent))] if origin.spent else []
    rows.append(("runs", _runs(frame)))
    for column, label in COLUMNS.items():
        recorded = done[column].dropna() if column in done.columns else pd.Series(dtype=object)
        if (recorded != "").any():
            rows.append((label, _values(recorded)))
    rows += _left_dense(done)
    rows += _versions(done, "versions", "versions")
    rows += _versions(done, "item_versions", "versions of methods, checks and tables")
    for column, label in (("wall_s", "training time"), ("search_s", "search time")):
        if column in done.columns and done[column].notna().any():
            rows.append((label, _times(done, column)))
    return rows + _solver(done)


def _runs(frame: pd.DataFrame) -> str:
    counts = Counter(str(status) for status in frame["status"])
    trained = ran(frame)["training"].nunique() if "training" in frame.columns else 0
    shared = f" (from {trained} different trainings: equal tickets are trained once)" if trained else ""
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) + shared


def _values(values: pd.Series) -> str:
    if values.name == "seed":
        return ", ".join(str(int(seed)) for seed in sorted(values.unique()))
    counts = Counter(_plain(value) for value in values)
    if len(counts) == 1:
        return ", ".join(counts)
    return ", ".join(f"{value} ({count} runs)" for value, count in counts.items())


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) or "none"


def _versions(done: pd.DataFrame, column: str, label: str) -> list[Entry]:
    if column not in done.columns:
        return []
    seen: dict[str, dict[str, None]] = {}
    for versions in done[column]:
        for name, version in (versions if isinstance(versions, dict) else {}).items():
            seen.setdefault(str(name), {})[str(version)] = None
    return [(label, ", ".join(f"{name} {' / '.join(numbers)}" for name, numbers in seen.items()))] if seen else []


def _left_dense(done: pd.DataFrame) -> list[Entry]:
    """The weights of the networks that no mask covers, however many are said to be removed."""
    if not {"left_dense", "prunable"} <= set(done.columns):
        return []
    shares = {
        name: f"{size:,.0f}{_share(size, prunable + sum(left.values()))}"
        for left, prunable in zip(done["left_dense"], done["prunable"], strict=True)
        for name, size in left.items()
    }
    return [("never pruned", ", ".join(f"{name} ({share})" for name, share in shares.items()))] if shares else []


def _solver(done: pd.DataFrame) -> list[Entry]:
    """The time limits of searches that solve problems, and how near to them the slowest came."""
    slowest: dict[float, float] = {}
    for solver in done["solver"] if "solver" in done.columns else ():
        if isinstance(solver, dict):
            limit = solver["time_limit_s"]
            slowest[limit] = max(solver["slowest_s"], slowest.get(limit, 0.0))
    said = [
        say("solver.limit", limit=f"{limit:,g}", slowest=f"{seconds:.2g}") for limit, seconds in sorted(slowest.items())
    ]
    return [(say("solver.label"), "; ".join(said))] if said else []


def _share(size: float, total: float) -> str:
    """The share of all weights of the network, for behind a number; empty where their number is not recorded."""
    return f", {100 * size / total:.2g} % of the weights" if total > 0 else ""


def _times(done: pd.DataFrame, column: str) -> str:
    """The total over distinct trainings or tickets, which are what took the time, and the median of one."""
    identity = "training" if column == "wall_s" else "ticket"
    once = done.drop_duplicates(identity) if identity in done.columns else done
    seconds = pd.to_numeric(once[column]).dropna()
    return f"{duration(seconds.sum())} in all, {duration(seconds.median())} at the median"
