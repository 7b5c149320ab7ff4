"""Every text of a picture lies inside it, and nothing hides anything else."""

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from reports import arrangement, figures
from reports.statistics import summarise


def drawn(ratios: list[float], make_grid: Callable[..., pd.DataFrame]) -> list[Figure]:
    frame = make_grid(ratios=ratios, seeds=2, methods=["grasp"], checks=["none", "layerwise_rearrange"])
    return [picture.drawing.draw() for section in figures.draw(summarise(frame)) for picture in section.pictures]


@pytest.mark.parametrize("ratios", [[0.98], [0.5, 0.9], [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99]])
def test_labels_title_and_legend_have_their_own_room(
    make_grid: Callable[..., pd.DataFrame], ratios: list[float]
) -> None:
    panels = drawn(ratios, make_grid)
    assert len(panels) > 2
    for figure in panels:
        (axes,), whole = figure.axes, figure.bbox
        renderer = RendererSVG(whole.width, whole.height, io.StringIO())
        boxes = [part.get_tightbbox(renderer) for part in (axes.xaxis, axes.yaxis)]
        title = figure.texts[0].get_window_extent(renderer)
        legends = [legend.get_window_extent(renderer) for legend in figure.legends]
        for box in boxes:
            assert box is not None
            assert -1 <= box.x0 < box.x1 <= whole.width + 1
            assert max([0.0, *(legend.y1 for legend in legends)]) <= box.y0 + 1
            assert box.y1 <= title.y0 + 1
        assert axes.bbox.width > whole.width / 4
        assert axes.bbox.height > whole.height / 4


def test_a_name_longer_than_its_axis_ends_where_the_axis_does() -> None:
    figure = Figure(figsize=(2, 2), dpi=arrangement.DPI)
    axes = figure.add_axes(arrangement.ROUGHLY)
    axes.set_xlabel("a name that is longer than an axis of so few inches")
    arrangement.arrange(figure, axes)
    label = axes.xaxis.label
    assert label.get_horizontalalignment() == "right"
    assert label.get_position()[0] == 1


def test_pictures_that_share_a_label_measure_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    measure = text_to_path.get_text_width_height_descent

    def counted(text: str, *how: Any) -> tuple[float, float, float]:
        measured.append(text)
        return measure(text, *how)

    monkeypatch.setattr(text_to_path, "get_text_width_height_descent", counted)
    font, sizes = FontProperties(size=8), []
    for _ in range(2):
        renderer = arrangement.Renderer(100, 100, io.StringIO())
        sizes += [
            renderer.get_text_width_height_descent(label, font, False) for label in ("a label of both", "wider" * 9)
        ]
    assert measured == ["a label of both", "wider" * 9]
    assert sizes[:2] == sizes[2:]
    assert sizes[0] < sizes[1]
