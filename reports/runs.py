"""Holds records as lists: what a cell says of its runs is read dozens of times, at which frames are slow."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

NAN = math.nan
ABSENT = ("missing", "failed", "unreadable")


@dataclass(frozen=True, eq=False)
class Runs:
    """Some rows of a frame of records.

    columns: name -> its values in all rows of the frame. rows: the places in them.
    """

    columns: Mapping[str, Sequence[Any]]
    rows: Sequence[int]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "Runs":
        """Returns all rows of a frame."""
        return cls({str(name): frame[name].tolist() for name in frame.columns}, range(len(frame)))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        values = self.columns[name]
        return [values[row] for row in self.rows]

    def get(self, name: str) -> list[Any]:
        """Returns the values of a column; none where there is no such column."""
        return self[name] if name in self.columns else []

    def where(self, name: str, wanted: Callable[[Any], bool]) -> "Runs":
        """Returns the rows whose value of a column is wanted."""
        values = self.columns[name]
        return Runs(self.columns, [row for row in self.rows if wanted(values[row])])

    def groups(self, names: Sequence[str]) -> "dict[tuple[Any, ...], Runs]":
        """Returns the rows by their values of these columns, in the order in which these come first."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for row, key in zip(self.rows, zip(*(self[name] for name in names), strict=True), strict=True):
            groups.setdefault(key, []).append(row)
        return {key: Runs(self.columns, rows) for key, rows in groups.items()}

    def by_seed(self) -> "Runs":
        """Returns the trainings that took place, in the order of their seeds."""
        seeds, status = self.columns["seed"], self.columns["status"]
        return Runs(
            self.columns, sorted((row for row in self.rows if status[row] not in ABSENT), key=seeds.__getitem__)
        )


def recorded(values: ArrayLike) -> NDArray[np.float64]:
    """Returns those numbers that are there."""
    numbers = np.asarray(values, dtype=float)
    return numbers[~np.isnan(numbers)]


def average(values: ArrayLike) -> float:
    """Returns the mean of those numbers that are there; NaN where none is."""
    numbers = recorded(values)
    return float(numbers.sum() / len(numbers)) if len(numbers) else NAN


def highest(values: ArrayLike, default: float = NAN) -> float:
    """Returns the largest of those numbers that are there, or `default`."""
    numbers = recorded(values)
    return float(numbers.max()) if len(numbers) else default


def median(values: ArrayLike) -> float:
    """Returns the median of those numbers that are there; NaN where none is."""
    numbers = recorded(values)
    return float(np.median(numbers)) if len(numbers) else NAN
