"""Turns the frame of records into one that can be analysed: checked columns, one accuracy, no two rows for one cell."""

import hashlib

import pandas as pd

from reports.analysis import METRICS
from reports.escape import visible
from reports.runs import ABSENT
from reports.validation import cleaned
from sanity.errors import UserError

SETTING = ["dataset", "model", "recipe"]
GROUP = [*SETTING, "method", "check", "ratio"]
REQUIRED = [*GROUP, "seed", "status", "last_test_accuracy", "best_test_accuracy"]
CONTROL = "none"

# What may differ between the runs of one cell that a results folder holds. Seeds that differ in a setting are no sample
# of one thing, and never averaged; circumstances tell apart what would else be the same run twice.
SETTINGS = ("overrides", "settings", "epochs", "precision", "data_digest", "match")
IN_FULL = ("recipe_in_full", "model_options", "init")  # what `overrides` comes to, however it was asked for
CIRCUMSTANCES = ("device", "deterministic", "commit")

# Every other column that a report reads, and what stands for it where a frame has none.
OPTIONAL: dict[str, object] = {
    "actual_ratio": float("nan"),
    "kept": float("nan"),
    "prunable": float("nan"),
    "off_budget": float("nan"),
    "match": None,
    "repeat_differs": float("nan"),
    "effective_density": float("nan"),
    "best_epochs": None,
    "early_stop_test_accuracy": float("nan"),
    "early_stop_epoch": float("nan"),
    "small": None,
    "mask_overlap": float("nan"),
    "expected_overlap": float("nan"),
    "identical_to_none": False,
    "predicted": None,  # what the check must do, by the formulas: checks.base.Prediction
    "function_gap": float("nan"),
    "collapsed": None,
    "layers": None,
    "dose": None,
    "moments": None,  # at which of dense training the mask is drawn, or is rewound to, where options say so, in epochs
    "check_words": None,  # what a check that is not ours says of itself: name -> keeps, destroys
    "diverged_epoch": None,
    "reason": None,
    "classes": float("nan"),
    "asked": float("nan"),
    "earlier_look": float("nan"),
    "wall_s": float("nan"),
    "search_s": float("nan"),
    "search_cost": None,
    "operations": None,
    "paper_mean": float("nan"),
    "paper_std": float("nan"),
    "paper_n": float("nan"),
    "paper_metric": None,
    "paper_source": None,
}


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of `frame` with every column that a report reads, and two more: `last` and `best` (percent).

    A run that diverged counts with the accuracy that it recorded. Where that is not a number it counts as chance,
    100 / `classes`, or as 0 where the frame does not say how many classes there are: dropping it would flatter.
    Raises `UserError` for an empty frame, a missing column, a record without names, ratio or seed, or two records of
    one cell that nothing tells apart.
    """
    if frame.empty:
        raise UserError("records: there are none, so there is nothing to report")
    if "status" in frame.columns and (frame["status"] == "unreadable").all():
        raise UserError(f"records: none can be read{_first_reason(frame)}")
    lacking = [name for name in REQUIRED if name not in frame.columns]
    if lacking:
        raise UserError(f"records: the columns {', '.join(lacking)} are missing")
    frame = cleaned(frame)
    for name, value in OPTIONAL.items():
        if name not in frame.columns:
            frame[name] = pd.Series([value] * len(frame), index=frame.index, dtype=object if value is None else None)
    frame["match"] = frame["match"].fillna("counts")
    for name, column in METRICS.items():
        frame[name] = _accuracy(frame, column)
    frame["early_stopping"] = frame["early_stop_test_accuracy"].astype(float)
    frame["ratio"] = frame["ratio"].round(9)
    return _tell_apart(frame)


def _first_reason(frame: pd.DataFrame) -> str:
    """Why the first record cannot be read, as the end of a sentence."""
    reasons = frame["reason"].dropna() if "reason" in frame.columns else pd.Series(dtype=object)
    return f": {visible(str(reasons.iloc[0]))}" if len(reasons) else ""


def ran(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of trainings that took place, diverged ones among them."""
    return frame[~frame["status"].isin(ABSENT)]


def _accuracy(frame: pd.DataFrame, column: str) -> pd.Series:
    chance = (100 / frame["classes"].astype(float)).fillna(0.0)
    recorded = frame[column].astype(float)
    return recorded.where(recorded.notna() | (frame["status"] != "diverged"), chance)


def settings_of(frame: pd.DataFrame) -> pd.Series:
    """A short name for what each run was trained by; None where that is not recorded."""
    columns = frame.columns.intersection(list(IN_FULL))
    columns = columns if len(columns) else frame.columns.intersection(["overrides"])
    if not len(columns):
        return pd.Series([None] * len(frame), index=frame.index, dtype=object)
    shown = frame[columns]
    if "recipe_in_full" in columns and frame["recipe_in_full"].nunique() > 1:
        from sanity import recipes  # which imports pydantic

        texts = {text: recipes.complete(text) for text in frame["recipe_in_full"].dropna().unique()}
        shown = shown.assign(recipe_in_full=frame["recipe_in_full"].map(texts, na_action="ignore"))
    words = ["\n".join(map(str, row)) for row in shown.itertuples(index=False)]
    names = pd.Series([hashlib.sha256(text.encode()).hexdigest()[:6] for text in words], index=frame.index)
    return names.where(frame[columns[0]].notna())


def _tell_apart(frame: pd.DataFrame) -> pd.DataFrame:
    """Runs of one cell under different settings or circumstances become two recipes, each named after what differs.

    A run of which that is not known, since it is missing or failed, keeps the recipe's name.
    """
    key = [*GROUP, "seed"]
    frame["settings"] = settings_of(frame)
    for name in (name for name in (*SETTINGS, *CIRCUMSTANCES) if name in frame.columns):
        what = "settings" if name == "overrides" else name
        if frame[what].nunique(dropna=False) == 1:
            continue
        twice = frame[frame.duplicated(key, keep=False)].groupby(key, dropna=False)[what].nunique(dropna=False) > 1
        mixed = {tuple(index[:3]) for index in twice[twice].index}
        if name in SETTINGS:
            among = frame.groupby(GROUP, dropna=False)[what].nunique() > 1
            mixed |= {tuple(index[:3]) for index in among[among].index}
        known = frame[name].notna()
        affected = pd.Series([tuple(row) in mixed for row in frame[SETTING].itertuples(index=False)], index=frame.index)
        shown = frame[name].where(known, "").astype(str).str.slice(0, 12 if name == "data_digest" else None)
        given = shown.where(shown != "", "as named") if name == "overrides" else f"{name}=" + shown
        frame["recipe"] = frame["recipe"].where(~(affected & known), frame["recipe"].astype(str) + " (" + given + ")")
    twice = frame.duplicated(key, keep=False)
    if twice.any():
        cell = ", ".join(f"{name}={frame.loc[twice, name].iloc[0]}" for name in key)
        raise UserError(f"records: two for one cell ({cell}); give each run a results folder of its own")
    return frame
