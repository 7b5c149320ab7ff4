"""Holds one published table: what to run for it, its printed numbers, and their comparison with our records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reproductions.departures import in_words
from reproductions.panels import CELL, Panel, cells_of, choose, nearest, override
from sanity.config import nested
from sanity.errors import UserError

NUMBERS = [*CELL, "paper_mean", "paper_std", "paper_n", "paper_metric", "paper_unit", "paper_printed", "paper_source"]
PAPER = NUMBERS[len(CELL) :]
UNSEEN = "no printed number was seen"
CONFIDENCE = (
    *("verbatim", "verbatim (secondary)", "verbatim-derived", "verbatim-computed"),
    *("vector figure", "digitised"),
)
"""How a printed number was seen: in words or tables (quoted by others; computed from such numbers), as coordinates of a
vector drawing, or read off a picture of pixels."""


@dataclass(frozen=True)
class Reproduction:
    """A published table, or a part of one.

    panels: the keys of one run each; no cell is in two of them.
    numbers: the printed numbers of cells of the grid, columns `NUMBERS`: paper_mean is test accuracy in percent, also
        where the paper prints test error (paper_printed, paper_unit: as printed); paper_std and paper_n are NaN where
        the paper states none; paper_metric is "last", "best", "early_stopping" (where the validation loss is smallest,
        which records of recipes with a hold-out have) or "unstated"; paper_source begins with one of `CONFIDENCE`.
    beyond: further printed rows, named as the paper does, with `why` they are no number of a cell.
    version: raised where the table comes to ask for other runs or to print other numbers; records list it.
    """

    name: str
    title: str
    paper: str
    description: str
    panels: tuple[Panel, ...]
    numbers: pd.DataFrame
    beyond: pd.DataFrame
    version: int = 1

    def configs(self) -> list[dict[str, Any]]:
        """Returns the runs of the table, as `sanity.config.from_mapping` takes them: one a panel."""
        return [dict(panel) for panel in self.panels]

    def cells(self) -> pd.DataFrame:
        """Returns every cell of the grid, one row a cell.

        Columns: dataset, model, recipe, method, check, ratio, seed (the first) and asked (how many seeds).
        """
        rows = [
            {**cell, "seed": panel["seeds"][0], "asked": len(panel["seeds"])}
            for panel in self.panels
            for cell in cells_of(panel)
        ]
        return pd.DataFrame(rows, columns=[*CELL[:2], "recipe", *CELL[2:], "seed", "asked"])

    def narrow(self, **choices: Any) -> "Reproduction":
        """Narrows the table: methods, checks, ratio, dataset and model select from its own; seeds replaces its seeds.

        Values are one or several, or text with commas: methods="grasp,snip", ratio=0.977 (also where the table has
        0.97748). Raises `UserError` for a key that is none of these and for what the table does not have.
        """
        panels = list(self.panels)
        for key, value in choices.items():
            if key == "seeds":
                panels = [{**panel, "seeds": [int(seed) for seed in _several(value)]} for panel in panels]
            elif key in ("methods", "checks", "ratio", "dataset", "model"):
                panels = choose(panels, key, _several(value))
            else:
                raise UserError(f"{key}: a table is narrowed by methods, checks, ratio, seeds, dataset or model")
            if not panels:
                raise UserError(
                    f"{self.name}: no cell has {', '.join(f'{name}={choice}' for name, choice in choices.items())}"
                )
        return self._with(panels)

    def on(self, dataset: str, ours: str) -> "Reproduction":
        """Replaces the data set `dataset` of the table by `ours`, such as another copy of the same images.

        Its recipes stay those for the table's own data, by the key `recipe.for`.
        Raises `UserError` where the table does not have the one, or has the other too.
        """
        panels = choose(self.panels, "dataset", [dataset])
        if any(panel["dataset"] == ours for panel in self.panels):
            raise UserError(f"dataset={dataset}:{ours}: the table has {ours} too")
        place = {"dataset": ours, "options": {"recipe": {"for": dataset}}}
        moved = [override(panel, place, set()) if panel in panels else panel for panel in self.panels]
        numbers = self.numbers.assign(dataset=self.numbers["dataset"].replace(dataset, ours))
        return replace(self, panels=tuple(moved), numbers=numbers)

    def trained_by(self, recipe: str) -> "Reproduction":
        """Returns the table with another recipe in place of its own."""
        return replace(self, panels=tuple({**panel, "recipe": recipe} for panel in self.panels))

    def borrowing(self, lender: "Reproduction", labels: Mapping[str, str]) -> "Reproduction":
        """Adds the numbers of `lender` for cells without one; `labels` renames the lender's methods and checks."""
        theirs = lender.numbers.replace({"method": dict(labels), "check": dict(labels)})
        own_cells = set(self.numbers[CELL].itertuples(index=False, name=None))
        new = [cell not in own_cells for cell in theirs[CELL].itertuples(index=False, name=None)]
        return replace(self, numbers=pd.concat([self.numbers, theirs[new]][not own_cells :]))._with(self.panels)

    def as_measured(self, records: pd.DataFrame, known_departures: Sequence[str] = ()) -> "Reproduction":
        """Returns the table with the one recipe of its cells' records, if so, and a title that says how they depart.

        known_departures: departures that the records do not tell.
        """
        own = {setting for panel in self.panels for setting in _settings(panel)}
        records = records[self._places(records) < len(self.cells())]
        others = sorted(set(records["recipe"].dropna()) - {panel["recipe"] for panel in self.panels})
        table = self.trained_by(others[0]) if others and records["recipe"].nunique() == 1 else self
        settings = {word for line in records.get("overrides", []) for word in str(line).split()}
        departures = [*known_departures, *(f"recipe={name}" for name in others), *sorted(settings - own)]
        title = f"{self.title} (not as published: {in_words(departures)})" if departures else self.title
        return replace(table, title=title)

    def _places(self, records: pd.DataFrame) -> pd.Series:
        """Returns the row of each record's cell in the table; for a cell not in the table, its number of cells."""
        cells = self.cells()
        places = {cell: place for place, cell in enumerate(cells[CELL].itertuples(index=False, name=None))}
        named = records[CELL[:4]].assign(ratio=self._ratios(records)).itertuples(index=False, name=None)
        return pd.Series([places.get(cell, len(places)) for cell in named], index=records.index, dtype=int)

    def _ratios(self, records: pd.DataFrame) -> pd.Series:
        """Returns the table's own ratio for each record's, which may be rounded; -1 for one that it does not have."""
        own_ratios = sorted(set(self.cells()["ratio"]))
        exact = [nearest(ratio, own_ratios) for ratio in records["ratio"].astype(float)]
        return pd.Series([-1.0 if ratio is None else ratio for ratio in exact], index=records.index, dtype=float)

    def attach(self, records: pd.DataFrame) -> pd.DataFrame:
        """Joins our records with the printed numbers; each cell without a record gets a row of status "missing".

        Adds the columns paper_*, and `asked`: how many seeds the table has for the cell.

        Cells stand in the table's order, those that it does not have behind them.
        Joined by data set, model, the labels of method and check, and the ratio up to rounding. The paper_source of a
        cell without a number is `UNSEEN`.
        """
        cells = self.cells()
        snapped = self._ratios(records)
        ours = records.drop(columns=[*PAPER, "asked"], errors="ignore").assign(_ratio=snapped)
        printed = cells[[*CELL, "asked"]].merge(self.numbers, on=CELL, how="left", validate="one_to_one")
        printed["paper_source"] = printed["paper_source"].fillna(UNSEEN)
        key = [*CELL[:4], "_ratio"]
        joined = ours.merge(printed.rename(columns={"ratio": "_ratio"}), on=key, how="left", validate="many_to_one")
        recorded = set(ours[key].itertuples(index=False, name=None))
        absent = [cell not in recorded for cell in cells[CELL].itertuples(index=False, name=None)]
        missing = cells[absent].merge(printed, on=[*CELL, "asked"], validate="one_to_one").assign(status="missing")
        columns = list(dict.fromkeys([*records.columns, *cells.columns, "status", *PAPER]))
        rows = [*joined.drop(columns="_ratio").to_dict("records"), *missing.to_dict("records")]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.loc[self._places(frame).sort_values(kind="stable").index].reset_index(drop=True)

    def _with(self, panels: Iterable[Panel]) -> "Reproduction":
        """Returns the same with fewer panels, and the numbers of their cells."""
        part = replace(self, panels=tuple(panels))
        return replace(part, numbers=self.numbers.merge(part.cells()[CELL].drop_duplicates(), on=CELL))


def _several(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, Iterable) else [value]


def from_declaration(name: str, declared: Mapping[str, Any], numbers: Path) -> Reproduction:
    """Returns the table that a declaration and its file of numbers (there may be none) describe."""
    panels = tuple(_panel({**declared["run"], **panel}) for panel in declared["panel"])
    printed = (
        pd.read_csv(numbers, dtype=str, keep_default_na=False) if numbers.exists() else pd.DataFrame(columns=_COLUMNS)
    )
    outside = printed["beyond"] != ""
    texts = (declared["title"], declared["paper"], declared["description"].strip())
    beyond = _read(printed[outside]).assign(why=printed.loc[outside, "beyond"].tolist())
    table = Reproduction(name, *texts, panels, _read(printed[~outside]), beyond, declared.get("version", 1))
    ratios = sorted(set(table.cells()["ratio"]))
    exact = table.numbers["ratio"].map(lambda ratio: nearest(ratio, ratios))
    return replace(table, numbers=table.numbers.assign(ratio=exact))


def _settings(panel: Panel) -> list[str]:
    """Returns a panel's keys as the overrides of a record spell them: "init=lee2019", "recipe.epochs=80"."""
    options = panel["options"].items()
    return [f"{key}={value}" for key, value in panel.items() if key != "options"] + [
        f"{part}.{name}={value}" for part, values in options for name, value in values.items()
    ]


_COLUMNS = [*CELL, "printed", "std", "n", "unit", "metric", "source", "beyond"]


def _panel(keys: Mapping[str, Any]) -> Panel:
    """Converts options as the command line does: a cell of the table is then the cell that a user types."""
    return nested({key: _text(value) if "." in key else value for key, value in keys.items()})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(printed: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns `NUMBERS` of rows as they stand in the file; test errors become accuracies."""
    value = printed["printed"].astype(float)
    is_error = printed["unit"].str.startswith("test error")
    return pd.DataFrame(
        {
            **{name: printed[name] for name in CELL[:4]},
            "ratio": printed["ratio"].astype(float),
            "paper_mean": value.where(~is_error, (100 - value).round(6)),
            "paper_std": pd.to_numeric(printed["std"], errors="coerce"),
            "paper_n": pd.to_numeric(printed["n"], errors="coerce"),
            "paper_metric": printed["metric"],
            "paper_unit": printed["unit"],
            "paper_printed": printed["printed"],
            "paper_source": printed["source"],
        }
    ).reset_index(drop=True)
