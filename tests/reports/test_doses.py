"""The slope of accuracy on the dose of a check: exact on lines, honest on noise, one line a check in every format."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports import inference
from reports.content import assemble
from reports.doses import by_seed, sentence, slopes
from reports.formats import html, markdown
from reports.statistics import summarise
from reports.terminal import show
from tests.reports.conftest import record

DOSES = (0.1, 0.3, 1.0)


def dosed(effect: float, noise: float, seeds: int = 6, scale: str = "linear", ratios: tuple[float, ...] = (0.9,),
          option: str = "label_noise.p", **values: object) -> pd.DataFrame:  # fmt: skip
    """A grid whose accuracy changes by `effect` per unit of the dose, or per tenfold."""
    rng, rows = np.random.default_rng(1), []
    name, key = option.split(".")
    for ratio in ratios:
        for seed in range(seeds):
            base = 90 + rng.normal()
            rows.append(record("snip", "none", ratio, seed, base + rng.normal(0, noise)))
            for dose in DOSES:
                place = dose if scale == "linear" else np.log10(dose)
                dose_of = {"of": name, "option": option, "value": dose, "scale": scale}
                accuracy = base + effect * place + rng.normal(0, noise)
                rows.append(record("snip", f"{name}[{key}={dose:g}]", ratio, seed, accuracy, dose=dose_of, **values))
    return pd.DataFrame(rows)


def every_kind() -> list[pd.DataFrame]:
    """Grids whose slopes have every verdict, on both scales."""
    frame = dosed(-5.0, 0.2)
    apart = frame[(frame["seed"] < 3) == (frame["check"] == "none")]
    dead = dosed(0.0, 0.1).assign(last_test_accuracy=10.0, classes=10)
    dead["last_test_accuracy"] += dead["seed"] * 0.1 + dead.index * 0.01
    kinds = [frame, dosed(0.0, 0.05), dosed(0.0, 2.0), dosed(0.0, 0.0, identical_to_none=True), apart, dead]
    return [*kinds, dosed(2.0, 0.1, scale="log10"), dosed(1.0, 0.1, seeds=1)]


def test_every_verdict_occurs() -> None:
    verdicts = {slope.verdict for frame in every_kind() for slope in slopes(summarise(frame))}
    assert verdicts == {"different", "equivalent", "undecided", "identical", "missing", "not testable"}


def test_the_slope_of_a_line_is_its_slope_whatever_the_level_of_a_seed() -> None:
    places = np.array([0.0, 0.1, 0.3, 1.0])
    accuracies = np.array([[90.0], [80.0]]) + np.array([[-3.0], [2.0]]) * places
    assert by_seed(places, accuracies) == pytest.approx([-3, 2])


def test_it_is_the_estimate_of_a_regression_with_seeds_as_blocks() -> None:
    rng = np.random.default_rng(0)
    places, accuracies = np.array([0.0, 0.1, 0.3, 1.0]), rng.normal(90, 2, (5, 4))
    blocks = np.kron(np.eye(5), np.ones((4, 1)))
    design = np.column_stack([np.tile(places, 5), blocks])
    fitted = np.linalg.lstsq(design, accuracies.ravel(), rcond=None)[0]
    assert by_seed(places, accuracies).mean() == pytest.approx(fitted[0])


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_without_an_effect_one_in_twenty_is_called_different_though_seeds_differ_in_their_slopes(spread: float) -> None:
    """Three comparisons with one control err two to three times as often, and errors of a regression that takes the
    runs of a seed as independent are wrong where slopes vary."""
    rng, grids, seeds = np.random.default_rng(0), 20_000, 5
    places = np.array([0.0, *DOSES])
    noise = rng.normal(0, 0.5, (grids, seeds, 4)) + spread * rng.normal(size=(grids, seeds, 1)) * places
    each = by_seed(places, noise)
    p = inference.p_different(each.mean(-1), each.std(-1, ddof=1), seeds)
    assert 0.045 < float((p < 0.05).mean()) < 0.055
    differences = noise[..., 1:] - noise[..., :1]
    many = inference.p_different(differences.mean(1), differences.std(1, ddof=1), seeds)
    assert float((many < 0.05).any(-1).mean()) > 0.08


def test_a_claim_of_several_ratios_is_corrected_by_holm() -> None:
    summary = summarise(dosed(-0.8, 0.5, ratios=(0.9, 0.95, 0.98)))
    found = slopes(summary)
    assert [slope.ratio for slope in found] == [0.9, 0.95, 0.98]
    assert [slope.p_holm for slope in found] == pytest.approx(list(inference.holm([slope.p for slope in found])))


def test_verdicts_are_of_the_change_over_the_doses() -> None:
    (strong,) = slopes(summarise(dosed(-5.0, 0.2)))
    assert strong.verdict == "different"
    assert strong.low < -5 < strong.high < 0
    assert (strong.n, strong.doses, strong.range) == (6, DOSES, 1.0)
    (none,) = slopes(summarise(dosed(0.0, 0.05)))
    assert none.verdict == "equivalent"
    assert -0.5 < none.low < none.high < 0.5
    (unclear,) = slopes(summarise(dosed(0.0, 2.0)))
    assert unclear.verdict == "undecided"


def test_on_a_logarithmic_scale_the_control_has_no_place() -> None:
    frame = dosed(2.0, 0.05, scale="log10", option="examples.n")
    frame.loc[frame["check"] == "none", "last_test_accuracy"] = 50.0
    (slope,) = slopes(summarise(frame))
    assert slope.mean == pytest.approx(2.0, abs=0.1)
    assert slope.range == pytest.approx(1.0)
    assert "for every tenfold examples.n" in sentence(slope)


def test_identical_tickets_have_no_slope_and_one_dose_no_line() -> None:
    same = dosed(0.0, 0.0, identical_to_none=True)
    (slope,) = slopes(summarise(same))
    assert slope.verdict == "identical"
    assert "no dose changed any ticket" in sentence(slope)
    assert not slopes(summarise(same[same["check"].isin(["none", "label_noise[p=0.1]"])]))


def test_only_seeds_with_every_dose_count() -> None:
    frame = dosed(-5.0, 0.2)
    lacking = frame[~((frame["seed"] == 3) & (frame["check"] == "label_noise[p=0.3]"))]
    (slope,) = slopes(summarise(lacking))
    assert slope.n == 5


def test_a_single_seed_has_a_slope_without_an_interval() -> None:
    (slope,) = slopes(summarise(dosed(-5.0, 0.2, seeds=1)))
    assert slope.verdict == "undecided"
    assert "no interval" in sentence(slope)


def test_every_format_has_one_line_a_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = dosed(-5.0, 0.2)
    summary = summarise(frame)
    content = assemble(frame, summary)
    (table,) = [table for table in content.tables if table.name == "doses"]
    assert len(table.rows) == 1
    for path in (markdown(content, tmp_path), html(content, tmp_path)):
        assert "label_noise.p = 0.1, 0.3, 1" in path.read_text()
    show(summary)
    printed = " ".join(capsys.readouterr().out.split())
    assert "SNIP at 90 %, label_noise: accuracy changes by" in printed
    assert "per unit of label_noise.p" in printed


@pytest.mark.parametrize("damaged", [None, "p", {"value": "x"}, {"value": 0.3, "scale": "cubic"}, {"value": -1}, [1]])
def test_a_record_with_a_damaged_dose_has_none(damaged: object) -> None:
    frame = dosed(-5.0, 0.2)
    frame["dose"] = pd.Series([damaged] * len(frame), dtype=object)
    assert not slopes(summarise(frame))
