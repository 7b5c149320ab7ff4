"""Methods against random and magnitude pruning: the same statistics, and no verdict of a check moves with them."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports.analysis import Analysis
from reports.content import assemble
from reports.method_sentences import method_sentences
from reports.overview import overview
from reports.statistics import Summary, summarise

Record = Callable[..., dict]
BASE = [80.0, 80.2, 80.1, 80.3]
RATIOS = {0.5: [0.1, -0.1, 0.0, 0.05], 0.9: [3.0, 3.3, 2.8, 3.1]}


def grid(make: Record, moved: dict[str, dict[float, list[float]]], **values: object) -> pd.DataFrame:
    """Unperturbed tickets: each method lies so many points above the base, a number a seed, at each ratio."""
    return pd.DataFrame([
        make(method, "none", ratio, seed, BASE[seed] + by, **values)
        for method, ratios in moved.items()
        for ratio, by_seed in ratios.items()
        for seed, by in enumerate(by_seed)
    ])  # fmt: skip


def still(ratios: dict[float, list[float]]) -> dict[float, list[float]]:
    return {ratio: [0.0] * len(by_seed) for ratio, by_seed in ratios.items()}


def outcomes(summary: Summary) -> dict[tuple[str, str, float], str]:
    return {(one.method, one.reference, one.ratio): one.outcome for one in summary.methods}


def test_each_method_is_compared_with_random_and_magnitude_once(make_record: Record) -> None:
    frame = grid(make_record, {"snip": RATIOS, "random@frankle2021": still(RATIOS), "magnitude": still(RATIOS)})
    frame = pd.concat([pd.DataFrame([make_record("dense", "none", 0.0, 0, 90.0)]), frame])
    assert set(outcomes(summarise(frame))) == {
        (method, reference, ratio)
        for method, reference in (("snip", "random@frankle2021"), ("magnitude", "random@frankle2021"),
                                  ("snip", "magnitude"))
        for ratio in RATIOS
    }  # fmt: skip


def test_better_and_as_good_are_told_apart_by_ratio_in_one_sentence(make_record: Record) -> None:
    summary = summarise(grid(make_record, {"snip": RATIOS, "random": still(RATIOS)}))
    assert list(outcomes(summary).values()) == ["as_good", "better"]
    assert list(method_sentences(summary)) == [
        "SNIP against Random: better at 90 % (+3.05 points); as good at 50 % (+0.01 points)."
    ]
    assert "2 comparisons of methods with Random: 1 better, 1 as good." in overview(summary)
    assert [one.comparison.family for one in summary.methods] == [2, 2]


def test_the_other_way_round_better_is_worse(make_record: Record) -> None:
    plain = summarise(grid(make_record, {"snip": RATIOS, "random": still(RATIOS)}))
    turned = summarise(grid(make_record, {"snip": still(RATIOS), "random": RATIOS}))
    for one, other in zip(plain.methods, turned.methods, strict=True):
        assert one.comparison.difference.mean == pytest.approx(-other.comparison.difference.mean)
        assert (one.outcome, other.outcome) in {("as_good", "as_good"), ("better", "worse")}


def test_a_claim_is_blind_to_other_methods_and_checks_are_blind_to_methods(make_record: Record) -> None:
    frame = grid(make_record, {"snip": RATIOS, "random": still(RATIOS)})
    checked = frame[frame["method"] == "snip"].assign(check="reinit", last_test_accuracy=BASE * 2)
    frame = pd.concat([frame, checked], ignore_index=True)
    more = pd.concat([frame, grid(make_record, {"grasp": RATIOS})], ignore_index=True)
    alone = summarise(frame)
    assert [one for one in summarise(more).methods if one.method == "snip"] == list(alone.methods)
    without = summarise(frame, Analysis(compare="none"))
    assert without.cells == alone.cells
    assert without.methods == ()


def test_without_random_or_magnitude_nothing_is_compared(make_record: Record) -> None:
    assert summarise(grid(make_record, {"snip": RATIOS, "grasp": RATIOS})).methods == ()


def test_random_at_chance_is_beaten_and_two_at_chance_are_not_testable(make_record: Record) -> None:
    low = {0.98: [-70.0, -70.2, -69.9, -70.1]}
    frame = grid(make_record, {"snip": {0.98: [0.0] * 4}, "grasp": low, "random": low}, classes=10)
    found = outcomes(summarise(frame))
    assert (found["snip", "random", 0.98], found["grasp", "random", 0.98]) == ("better", "not testable")


def test_every_format_has_the_table_unless_it_is_not_wanted(make_record: Record, tmp_path: Path) -> None:
    frame = grid(make_record, {"snip": RATIOS, "random": still(RATIOS)})
    for compare, there in (("methods", True), ("none", False)):
        folder = tmp_path / compare
        report = reports.Report(frame, reports.Analysis(compare=compare))
        files = report.write(folder, formats=["md", "html", "csv", "latex"])
        shown = io.StringIO()
        report.show(shown)
        texts = [files[name].read_text(encoding="utf-8") for name in ("md", "html", "latex")]
        assert [("Methods against random" in text) == there for text in texts] == [True] * 3
        assert ("better at 90 %" in " ".join(shown.getvalue().split())) == there
        assert (folder / "methods_compared.csv").exists() == there
    table = pd.read_csv(tmp_path / "methods" / "methods_compared.csv")
    assert table["outcome"].tolist() == ["as_good", "better"]
    assert table["difference"].tolist() == pytest.approx([0.0125, 3.05])


def test_methods_of_which_neither_was_run_have_no_row(make_record: Callable[..., dict]) -> None:
    gone = {"status": "missing", "best_test_accuracy": math.nan}
    rows = [make_record(name, "none", 0.9, seed, 96.0 + seed) for name in ("snip", "random") for seed in (0, 1)]
    rows += [make_record(name, "none", 0.95, 0, math.nan, **gone) for name in ("snip", "random")]
    frame = pd.DataFrame(rows)
    tables = {table.name: table for table in assemble(frame, summarise(frame)).tables}
    assert [row[1].text for row in tables["methods"].rows] == ["90 %"]
