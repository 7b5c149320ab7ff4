"""The distances of early-bird masks are averaged over the seeds that came so far, and drawn with their number."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_svg import RendererSVG

import reports
from reports import figures
from reports.statistics import summarise

SHORT = {"epoch": 2, "iteration": 20, "emerged": True, "distances": [[0.0, 0.2], [0.2, 0.0]]}
LONG = {
    "epoch": 3,
    "iteration": None,
    "emerged": False,
    "distances": [[0.0, 0.4, 0.6], [0.4, 0.0, 0.1], [0.6, 0.1, 0.0]],
}


def frame(make: Callable[..., dict]) -> pd.DataFrame:
    birds = [SHORT, LONG]
    return pd.DataFrame([make("grasp", "none", 0.9, seed, 90.0, early_bird=bird) for seed, bird in enumerate(birds)])


def test_each_pair_of_epochs_is_a_mean_over_the_seeds_that_reached_both(make_record: Callable[..., dict]) -> None:
    (cell,) = summarise(frame(make_record)).cells
    assert cell.settling is not None
    assert (cell.settling.epochs, cell.settling.emerged) == ((2, 3), 1)
    first, second, third = ([round(value, 9) for value in row] for row in cell.settling.distances)
    assert (first, second, third) == ([0, 0.3, 0.6], [0.3, 0, 0.1], [0.6, 0.1, 0])


def test_the_report_draws_it_and_others_have_no_such_picture(make_record: Callable[..., dict], tmp_path: Path) -> None:
    page = (
        reports.Report(frame(make_record))
        .write(tmp_path / "bird", formats=("html",))["html"]
        .read_text(encoding="utf-8")
    )
    assert "How the mask settled" in page
    assert "tickets of 2 runs drawn in epoch 2 to 3, 1 of them settled" in page
    plain = pd.DataFrame([make_record("grasp", "none", 0.9, 0, 90.0)])
    page = reports.Report(plain).write(tmp_path / "plain", formats=("html",))["html"].read_text(encoding="utf-8")
    assert "How the mask settled" not in page


def test_the_scale_of_colours_lies_beside_the_distances(make_record: Callable[..., dict]) -> None:
    (picture,) = (
        picture
        for section in figures.draw(summarise(frame(make_record)))
        for picture in section.pictures
        if section.kind == "settling"
    )
    figure = picture.drawing.draw()
    (axes,) = figure.axes
    (scale,) = axes.child_axes
    renderer = RendererSVG(figure.bbox.width, figure.bbox.height, io.StringIO())
    figure.draw(renderer)
    box = scale.get_tightbbox(renderer)
    assert box is not None
    assert axes.bbox.x1 < box.x0 < box.x1 <= figure.bbox.width


@pytest.mark.parametrize(
    "bird", [{"epoch": 1, "distances": [[0.0, 0.1]]}, {"epoch": 1, "distances": [["x"]]}, {"distances": [[0.0]]}, 3]
)
def test_what_is_no_square_of_distances_counts_as_not_recorded(make_record: Callable[..., dict], bird: object) -> None:
    (cell,) = summarise(pd.DataFrame([make_record("grasp", "none", 0.9, 0, 90.0, early_bird=bird)])).cells
    assert cell.settling is None
