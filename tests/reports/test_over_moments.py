"""Accuracy over the moment of dense training: one panel a method and option, true to scale, from records alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import reports
from reports import canvas, figures
from reports.doses import slopes
from reports.over_moments import over_moments
from reports.statistics import summarise

Make = Callable[..., dict]


def of_options(make: Make) -> pd.DataFrame:
    """SNIP scored after 0, 0.5 and 20 epochs, unperturbed and rearranged; another method that is scored once."""
    rows = [
        make(f"snip[biases=never,scored_at={name}]", check, 0.9, seed, level - 5 * (check != "none") + seed,
             moments={"scored_at": place})
        for name, place, level in (("init", 0.0, 80.0), ("100it", 0.5, 84.0), ("20", 20.0, 90.0))
        for check in ("none", "layerwise_rearrange")
        for seed in range(3)
    ]  # fmt: skip
    rows += [make("grasp[scored_at=1]", "none", 0.9, 0, 85.0, moments={"scored_at": 1.0})]
    return pd.DataFrame([*rows, make("dense", "none", 0.0, 0, 93.0, moments={})])


def of_check(make: Make) -> pd.DataFrame:
    """Early-bird tickets drawn in another epoch."""
    rows = [make("early_bird", "none", 0.5, seed, 90.0 + seed, moments={}) for seed in range(3)]
    for place in (1.0, 2.0, 4.0):
        dose = {"of": "at_epoch", "option": "at_epoch.epoch", "value": place, "scale": "log10"}
        rows += [
            make("early_bird", f"at_epoch[epoch={place:g}]", 0.5, seed, 88 + place + 0.1 * seed * place, dose=dose,
                 moments={"at_epoch.epoch": place})
            for seed in range(3)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def drawn(frame: pd.DataFrame) -> list[canvas.Picture]:
    return [picture for section in figures.draw(summarise(frame)) if section.kind == "moments"
            for picture in section.pictures]  # fmt: skip


def test_an_option_that_names_moments_is_an_axis(make_record: Make) -> None:
    (panel,) = over_moments(summarise(of_options(make_record)))
    assert (panel.method, panel.option, panel.ratio) == ("snip[biases=never]", "scored_at", 0.9)
    means = {check: [(place, cell.accuracy.mean) for place, cell in placed] for check, placed in panel.lines.items()}
    assert means["none"] == [(0, 81), (0.5, 85), (20, 91)]
    assert means["layerwise_rearrange"] == [(0, 76), (0.5, 80), (20, 86)]
    assert panel.dense == 93
    assert "81.00 % at init (n = 3), 85.00 % at 0.5 (n = 3), 91.00 % at 20 (n = 3)" in panel.alt(panel.title)


def test_moments_of_a_check_lie_beside_the_methods_own(make_record: Make) -> None:
    summary = summarise(of_check(make_record))
    (panel,) = over_moments(summary)
    assert (panel.method, panel.control, list(panel.lines)) == ("early_bird", 91, ["at_epoch"])
    (slope,) = slopes(summary)
    assert (slope.doses, slope.n, slope.verdict) == ((1, 2, 4), 3, "different")
    assert slope.mean > 0


@pytest.mark.parametrize("option", ["scored_at", "rewind_epoch", "weights_at", "at_epoch.epoch"])
def test_each_k_is_drawn_at_its_place_with_its_own_accuracy(option: str, make_record: Make) -> None:
    name = option.rpartition(".")[2]
    levels = {4.0: 71.0, 0.5: 90.0, 2.0: 64.0}  # records come in any order, and accuracy goes up and down
    rows = []
    for place, level in levels.items():
        by_check = f"at_epoch[epoch={place:g}]" if "." in option else "none"
        method = "snip" if "." in option else f"snip[biases=never,{name}={place:g}]"
        rows += [make_record(method, by_check, 0.9, seed, level + seed, moments={option: place}) for seed in range(2)]
    (panel,) = over_moments(summarise(pd.DataFrame(rows)))
    assert panel.option == option
    (picture,) = drawn(pd.DataFrame(rows))
    (axes,) = picture.drawing.draw().axes
    assert option in axes.get_xlabel()
    (drawn_at,) = (at for at in map(np.asarray, (line.get_xydata() for line in axes.get_lines())) if len(at) == 3)
    assert drawn_at[:, 0].tolist() == pytest.approx(sorted(levels), rel=0.05), "lines are set a little apart"
    assert drawn_at[:, 1].tolist() == [levels[place] + 0.5 for place in sorted(levels)]


def test_with_two_axes_each_line_holds_the_other_k_fixed(make_record: Make) -> None:
    rows = [
        make_record(f"snip[scored_at={scored},rewind_epoch={back}]", "none", 0.9, seed, 60 + 10 * scored + back,
                    moments={"scored_at": float(scored), "rewind_epoch": float(back)})
        for scored in (1, 2) for back in (0, 3) for seed in range(2)
    ]  # fmt: skip
    panels = {
        (panel.option, panel.method): panel.lines["none"] for panel in over_moments(summarise(pd.DataFrame(rows)))
    }
    assert {of: [(place, cell.accuracy.mean) for place, cell in line] for of, line in panels.items()} == {
        ("scored_at", "snip[rewind_epoch=0]"): [(1, 70), (2, 80)],
        ("scored_at", "snip[rewind_epoch=3]"): [(1, 73), (2, 83)],
        ("rewind_epoch", "snip[scored_at=1]"): [(0, 70), (3, 73)],
        ("rewind_epoch", "snip[scored_at=2]"): [(0, 80), (3, 83)],
    }


def axis_of(figure: Figure) -> tuple[str, list[str]]:
    (axes,) = figure.axes
    return axes.get_xscale(), [label.get_text() for label in axes.get_xticklabels()]


@pytest.mark.parametrize(("make", "scale", "ticks"), [
    (of_options, "symlog", ["init", "0.5", "20"]), (of_check, "linear", ["1", "2", "4"]),
])  # fmt: skip
def test_the_axis_is_true_to_scale(
    make: Callable[[Make], pd.DataFrame], scale: str, ticks: list[str], make_record: Make
) -> None:
    (picture,) = drawn(make(make_record))
    assert axis_of(picture.drawing.draw()) == (scale, ticks)


def test_the_page_shows_it_and_grids_of_one_moment_have_none(make_record: Make, tmp_path: Path) -> None:
    frame = of_options(make_record)
    title = "Accuracy over the moment of dense training"
    assert title in reports.Report(frame).write(tmp_path / "many", formats=["html"])["html"].read_text(encoding="utf-8")
    assert drawn(frame[frame["method"] != "snip[biases=never,scored_at=20]"].iloc[:6]) == []
    assert drawn(frame.drop(columns="moments")) == []


def test_moments_that_are_no_numbers_are_left_out(make_record: Make) -> None:
    frame = of_options(make_record)
    spoilt = [{"scored_at": "soon"} if seed == 0 else "?" for seed in frame["seed"]]
    assert over_moments(summarise(frame.assign(moments=pd.Series(spoilt, dtype=object)))) == []
