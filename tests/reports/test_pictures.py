"""Figures as files: every picture in every format, the same bytes again, dark ink on white."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from PIL import Image

import reports


def test_every_picture_in_every_format_the_same_bytes_again(
    make_grid: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    frame = make_grid(ratios=[0.9], seeds=3, methods=["grasp"], checks=["none", "reinit"])
    folders = []
    for name in ("one", "other"):
        files = reports.Report(frame).write(tmp_path / name, formats=["csv"], figures=reports.PICTURES)
        folders.append(files["figures"])
    names = sorted(path.name for path in folders[0].iterdir())
    stems = {name.rpartition(".")[0] for name in names}
    assert "accuracy-grasp" in stems
    assert names == sorted(f"{stem}.{kind}" for stem in stems for kind in reports.PICTURES)
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "accuracy-grasp.pdf").read_bytes().startswith(b"%PDF")
    image = Image.open(folders[0] / "accuracy-grasp.png").convert("L")
    assert image.getextrema() == (34, 255)  # no darker than the ink, #222222
    assert sum(image.histogram()[34:60]) > 2000
