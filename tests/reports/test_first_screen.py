"""The first screen: question, answer, what to know before believing it, strips, forest plot, what to do next."""

import math
from collections.abc import Callable

import pandas as pd

import reports
from reports.content import assemble
from reports.forest import forests
from reports.headline import question, setting_line
from reports.lead import lead
from reports.method_sentences import method_sentences
from reports.next_steps import OF_AUTO, next_step
from reports.statistics import summarise
from reports.strips import row_of, strip
from reports.trust import trust
from sanity.config.run_config import LIMITS

Record = Callable[..., dict]
NEAR = [0.0, 0.1, -0.1, 0.05]


def pair(make: Record, moved: float, spread: float = 1.0, ratios: tuple[float, ...] = (0.9,)) -> pd.DataFrame:
    """SNIP and the same under another mask of equal layers, `moved` points apart."""
    return pd.DataFrame([
        make("snip", check, ratio, seed, 90.0 + (moved + spread * by if check != "none" else 0.0))
        for ratio in ratios for check in ("none", "layerwise_rearrange") for seed, by in enumerate(NEAR)
    ])  # fmt: skip


def test_the_heading_asks_and_the_first_sentence_answers(make_record: Record) -> None:
    for moved, spread, word in ((0.0, 1, "No: "), (-5.0, 1, "Yes: "), (0.4, 6, "Not settled: ")):
        summary = summarise(pair(make_record, moved, spread))
        assert question(summary) == "Does SNIP's ticket depend on which weights are kept inside a layer?"
        (sentence,) = lead(summary)
        assert sentence.startswith(word)
        assert "n = 4" in sentence or "4 seeds" in sentence
    assert setting_line(summary).endswith("90 % of the weights removed · 4 seeds · 1 comparison · margin ± 0.5 points")


def test_random_pruning_as_good_as_dense_is_told_before_anything_is_believed(make_record: Record) -> None:
    for random, state in ((92.0, "mind"), (80.0, "good")):
        rows = [make_record("dense", "none", 0.0, seed, 92.0 + by) for seed, by in enumerate(NEAR)]
        rows += [make_record("random", "none", 0.9, seed, random + by) for seed, by in enumerate(NEAR)]
        frame = pd.concat([pair(make_record, 0.0), pd.DataFrame(rows)])
        (told,) = [one for one in trust(frame, summarise(frame)) if one.text.startswith("Random pruning is")]
        assert told.state == state


def test_every_square_leads_to_a_row_of_the_page(make_record: Record, tmp_path: object) -> None:
    frame = pair(make_record, 0.0, ratios=(0.5, 0.6, 0.7, 0.8, 0.9))
    summary = summarise(frame)
    squares = strip(summary.cells)
    assert [square.row for square in squares] == [row_of(cell) for cell in summary.cells if cell.comparison]
    assert len({square.row for square in squares}) == 5
    page = reports.Report(frame).write(str(tmp_path), formats=["html"])["html"].read_text(encoding="utf-8")
    for square in squares:
        assert f'href="#{square.row}"' in page
        assert f'<tr id="{square.row}"' in page
        assert square.text in page


def test_the_next_command_has_the_seeds_that_settle_what_is_open(make_record: Record) -> None:
    frame = pair(make_record, 0.4, 6.0)
    summary = summarise(frame)
    step = next_step(frame, summary)
    needed = int(summary.cells[1].comparison.seeds_needed) if summary.cells[1].comparison else 0
    assert step is not None
    (command,) = step.commands
    assert "methods=snip checks=layerwise_rearrange ratio=0.9" in command
    assert command.endswith(f"seeds=0-{needed - 1}")
    trained = next_step(frame, summary, ["python -m sanity.run methods=snip seeds=auto max_seeds=4 max_hours=1"])
    assert trained is not None
    assert set(OF_AUTO) == set(LIMITS)
    assert trained.commands == (f"python -m sanity.run methods=snip seeds=0-{needed - 1}",)
    settled = pair(make_record, -5.0)
    closed = next_step(settled, summarise(settled))
    assert closed is not None
    assert not closed.commands


def test_the_forest_shows_the_highest_sparsity_that_can_be_tested(make_record: Record) -> None:
    frame = pair(make_record, -5.0, ratios=(0.5, 0.6, 0.7, 0.8, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.99))
    frame.loc[frame["ratio"] == 0.99, "last_test_accuracy"] = 10.0
    (forest,) = forests(summarise(frame.assign(classes=10)))
    assert {cell.ratio for cell in forest.cells} == {0.95}


def test_a_control_is_no_method_to_compare(make_record: Record) -> None:
    rows = [make_record(name, "none", 0.9, seed, 90 + by) for name in ("random", "blind", "snip")
            for seed, by in enumerate(NEAR)]  # fmt: skip
    assert [sentence[:4] for sentence in method_sentences(summarise(pd.DataFrame(rows)))] == ["SNIP"]


def test_many_rows_are_a_strip_a_method_of_what_was_run(make_record: Record) -> None:
    gone = {"status": "missing", "best_test_accuracy": math.nan}
    rows = [
        make_record(method, check, ratio, seed, 90.0 + by) if ratio > 0.5 else
        make_record(method, check, ratio, seed, math.nan, **gone)
        for method in ("snip", "grasp", "synflow") for ratio in (0.5, 0.9, 0.95)
        for check in ("none", "layerwise_rearrange") for seed, by in enumerate(NEAR)
    ]  # fmt: skip
    (answer,) = assemble(pd.DataFrame(rows), summarise(pd.DataFrame(rows))).answers
    assert answer.compact
    assert not answer.broad
    assert [row.method for row in answer.by_method] == ["SNIP", "GraSP", "SynFlow"]
    texts = [[square.text.split(":")[0] for square in row.strips[0]] for row in answer.by_method]
    assert texts == [["90 %", "95 %"]] * 3
    (few,) = assemble(pd.DataFrame(rows[:24]), summarise(pd.DataFrame(rows[:24]))).answers
    assert not few.compact  # each verdict with its numbers


def test_of_a_table_run_in_part_the_next_command_runs_the_rest(make_record: Record) -> None:
    paper = {"paper_mean": 90.0, "paper_source": "table 1"}
    rows = [make_record("snip", "none", 0.9, 0, 90.0, **paper)]
    rows += [make_record("snip", "none", 0.95, 0, math.nan, status="missing", **paper)]
    frame = pd.DataFrame(rows)
    ran = "python -m sanity.run reproduction=lee2019_table1 model=lenet5 ratio=0.9 data_dir=DIR results_dir=a"
    step = next_step(frame, summarise(frame), [ran])
    assert step.text.startswith("1 run that the table asks for")
    assert step.commands == ("python -m sanity.run reproduction=lee2019_table1 data_dir=DIR results_dir=a",)
    whole = next_step(frame[:1], summarise(frame[:1]), [ran])
    assert whole.commands[0].endswith(" checks=layerwise_rearrange,random_labels,reinit")
