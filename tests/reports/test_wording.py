"""The table of sentences: every template is said somewhere, and whatever is said is filled in."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports import figures, formats, placement_shown, reference_sets, terminal, text
from reports.analysis import Analysis
from reports.answer import answer
from reports.claims import found, written
from reports.claims import page as claims_page
from reports.claims.declared import Claim, Evidence, Paper
from reports.claims.outcomes import OUTCOMES
from reports.comparisons import VERDICTS
from reports.controls import judgement, verdict_on_controls
from reports.doses import sentence, slopes
from reports.expectations import Expectation, told, unmet
from reports.headline import question, setting_line
from reports.lead import lead
from reports.method_sentences import method_sentences
from reports.next_steps import next_step
from reports.overview import flaws, legend, meaning, overview, remarks, share
from reports.phrases import phrase
from reports.placement import placement
from reports.records import prepare
from reports.reference_sets import page
from reports.seeds_spent import forecast
from reports.sentences import outlook
from reports.statistics import summarise
from reports.text import say
from reports.trust import trust
from reports.verify import Verification
from sanity.config import RunConfig
from sanity.grid.design import ALL_DECIDED, MAX_HOURS, MAX_SEEDS
from sanity.grid.rounds import Outlook
from sanity.store.repeats import Repeat
from tests.reports.every_case import Record, first_screens, frames, pair, panels
from tests.reports.levels import family, noisy
from tests.reports.test_doses import every_kind
from tests.reports.test_placement import OWN, SET
from tests.reports.test_placement import records as set_of


class Recorder(dict[str, str]):
    """The templates, and which of them were asked for."""

    def __init__(self, templates: dict[str, str]) -> None:
        super().__init__(templates)
        self.said: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.said.add(key)
        return super().__getitem__(key)


def sentences(records: pd.DataFrame, metric: str) -> str:
    """Everything that a report says of records in words, but for its pictures."""
    summary = summarise(records, Analysis(metric))
    answers = [answer(setting, summary) for setting in summary.names("setting")]
    aside = [[verdict_on_controls(summary)], [question(summary), setting_line(summary), *lead(summary)]]
    trained_by = "python -m sanity.run reproduction=lee2019_table1"
    aside += [[one.text for one in trust(records, summary)], [str(next_step(records, summary))]]
    aside += [[str(next_step(records, summary, [trained_by]))]]
    aside += [[outlook(cell, summary), judgement(cell), *flaws(cell, summary)] for cell in summary.cells]
    of = share(summary.cells)
    return (
        f"{overview(summary)} {legend(summary)} {of} {answers} {aside} {list(method_sentences(summary))} "
        f"{[meaning(name, summary) for name in VERDICTS]}"
    )


def standings() -> Iterator[Outlook]:
    """Where a run with seeds=auto may stand: at each end, before the first record, and with a spread or none."""
    open_still = Outlook(
        comparisons=3, open=2, fewest=4, most=7, hours=0.1, end="", cells_ahead=20, hours_ahead=0.5, unknown=1
    )
    for end in (ALL_DECIDED, MAX_SEEDS, MAX_HOURS):
        yield replace(open_still, end=end)
    yield replace(open_still, hours=0.0)
    yield open_still


def neighbours(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What is said of a method among those of a reference set, and of a set that is measured in part or whole."""
    alone = {name: mean for name, mean in SET.items() if name[1] == "none"}
    for theirs in (SET, alone):
        placed = placement(set_of(OWN), set_of(theirs), Analysis())
        yield from placement_shown.sentences(placed)
        yield from (table.heading + table.caption for table in placement_shown.tables(placed))
    a_set = set_of(SET).assign(device="cpu")
    yield page("digits_lenet_300_100", a_set)
    monkeypatch.setattr(reference_sets, "_asked", lambda _: (1, 1))
    yield page("digits_lenet_300_100", a_set)


def claims_of_papers(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What is said of claims: each prediction, in the paper's setting and elsewhere, measured and not."""
    measured = prepare(
        pd.concat([set_of(SET, 0.5), set_of(SET, 0.9)]).drop_duplicates(["method", "check", "ratio", "seed"])
    )
    epochs = [5.0 + seed for seed in measured["seed"]]
    measured = measured.assign(early_stop_epoch=epochs, start_test_accuracy=10.0, early_stop_test_accuracy=90.0)
    measured = measured.assign(effective_density=0.05, kept=100.0, prunable=1000.0)
    monkeypatch.setattr(found, "_folder", {"here": measured, "lee": found._folder("measured/lee2019_table1")}.get)
    evidence = [
        *(Evidence("here", "snip", predicted, check="invert") for predicted in ("equal", "worse", "better")),
        Evidence("here", "snip", "no_worse", against="dense"),
        *(Evidence("here", "snip", "lower", check="invert", outcome=name, margin=20.0) for name in OUTCOMES),
        Evidence("here", "snip", "lower", check="invert", outcome="early_stop_epoch", margin=20.0, ratio=(0.9,)),
        Evidence("here", "snip", "higher", against="dense", outcome="early_stop_epoch", margin=20.0),
        Evidence("lee", "snip@lee2019", "printed", table="lee2019_table1"),
        Evidence("nowhere", "snip", "equal", against="dense"),
    ]
    there = (replace(evidence[0], elsewhere=True, note="so"),)
    elsewhere = Claim("it works", "Table 1", "a check", evidence=there, unseen=True)
    every = (Claim("it", "1", "2", "", tuple(evidence)), elsewhere)
    paper = Paper("own", "Own", "cited", "networks", "the abstract", every, (("a", "b"),))
    yield from (written.text([paper]), claims_page.markdown([paper]))


def test_every_template_is_said_and_filled(
    make_record: Record, frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(dict(text.TEMPLATES))
    monkeypatch.setattr(text, "TEMPLATES", recorder)
    for name in {key.split(".")[1] for key in recorder if key.startswith("check.")}:
        phrase(name)
    for check in ("half_dataset+random_labels[x=1]", "mine"):
        phrase(check)
    for records in frames(make_record):
        assert not re.findall(r"\{\w*\}", sentences(records, "last"))
    assert not re.findall(r"\{\w*\}", sentences(frame, "best"))
    for records in panels(make_record):
        assert not re.findall(r"\{\w*\}", " ".join(lead(summarise(records))))
    for records in every_kind():
        assert not any(re.findall(r"\{\w*\}", sentence(slope)) for slope in slopes(summarise(records)))
    for damaged in (1, 2):
        unreadable = pd.DataFrame([{"status": "unreadable", "reason": "it is damaged"}] * damaged)
        assert remarks(pd.concat([frame.assign(origin="packed"), unreadable], ignore_index=True))
    assert remarks(frame.assign(match="live"))
    say("verify.run", method="snip", ratio="90 %", check="none", seed=0)
    say("picture.cut_paper")
    for again in (90.0, 90.2, 93.0):
        assert not re.findall(r"\{\w*\}", Verification("a run", 90.0, again, False).text(margin=0.5))
    assert not re.findall(r"\{\w*\}", Verification("a run", 90.0, 90.0, True).text(margin=0.5))
    twice = frame[frame["status"] == "done"]["last_test_accuracy"].head(2).add([0.0, 0.1])
    repeats = twice.map(lambda accuracy: Repeat("a", "b", "b", accuracy, accuracy, "AMD EPYC, 1 thread", "2026-01-01"))
    repeated = frame.assign(trained_again=repeats)
    for origin in ("packed", "trained here"):
        assert not re.findall(r"\{\w*\}", " ".join(remarks(repeated.assign(origin=origin))))
    monkeypatch.setattr(figures, "PANELS", 1)
    other = (
        frame[frame["check"] == "none"]
        .assign(check="invert", ratio=0.9, predicted="open")
        .drop_duplicates(["method", "seed"])
    )
    monkeypatch.setattr(formats, "PRINTED", 20)
    reports.Report(pd.concat([frame, other])).write(tmp_path, formats=["html"])
    levels = [*family(noisy(2)), *family(0 * noisy(2) + 90, ratio=0.9)]  # a clear gap, and none
    bird = {"epoch": 2, "emerged": True, "distances": [[0.0, 0.2], [0.2, 0.0]]}
    moments = [make_record("early_bird", f"at_epoch[epoch={at}]", 0.5, 0, 90.0, moments={"at_epoch.epoch": at})
               for at in (1.0, 2.0)]  # fmt: skip
    reports.Report(pd.DataFrame([make_record("early_bird", "none", 0.5, 0, 90.0), *moments])).write(
        tmp_path, formats=["html"]
    )
    special = {"early_bird": bird, "solver": {"time_limit_s": 600.0, "slowest_s": 0.2}}
    reports.Report(pd.DataFrame([row | special for row in levels])).write(tmp_path, formats=["html"])
    reports.Report(frame).show(io.StringIO(), files=[tmp_path])
    monkeypatch.setattr(terminal, "WIDTH", 60)  # some columns have no room
    reports.Report(frame).show(io.StringIO())
    reports.Report(frame, origin=reports.Origin(spent="so many")).write(tmp_path)
    reports.Report(frame).write(tmp_path, formats=["latex"])
    wanted = [Expectation({"check": (check,)}, ("identical",)) for check in ("reinit", "of nobody")]
    missed = unmet(wanted, summarise(frame))
    assert not re.findall(r"\{\w*\}", told(wanted, missed) + told(wanted, []))
    for records in first_screens(make_record):
        reports.Report(records).write(tmp_path, formats=["html"])
        verdict_on_controls(summarise(records))
    for outlook_now in standings():
        assert not re.findall(r"\{\w*\}", forecast(outlook_now, RunConfig(), trainings=3))
    for sentence_said in (*neighbours(monkeypatch), *claims_of_papers(monkeypatch)):
        assert not re.findall(r"\{\w*\}", sentence_said)
    assert set(recorder) - recorder.said == set()


def test_a_sentence_that_was_edited_is_the_one_that_is_said(
    make_record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "TEMPLATES", {**text.TEMPLATES, "overview.verdicts": "{verdicts} among {count}!"})
    summary = summarise(pair(make_record, [90.0, 90.1], [90.0, 90.1], identical_to_none=True))
    assert overview(summary) == "1 identical among 1 comparison!"


def test_a_check_of_somebody_else_is_told_in_the_words_of_its_class(make_record: Record) -> None:
    said = {"mine:Halved": {"keeps": "the mask.", "destroys": "the scale of the weights."}}
    near, lower, label = [90.0, 90.1, 90.3], [80.0, 80.1, 80.2], "mine:Halved[factor=0.5]"
    told = summarise(pair(make_record, near, lower, check=label, check_words=said))
    assert question(told) == "Does SNIP's ticket depend on the scale of the weights?"
    action = f"the check '{label}' (it destroys the scale of the weights and keeps the mask)"
    assert next(lead(told)).startswith(f"Yes: {action} changes accuracy by")
    assert phrase(f"reinit+{label}", said).action.endswith(f"under the same mask and {action}")
    bare = summarise(pair(make_record, near, lower, check=label))
    assert next(lead(bare)).startswith(f"Yes: the check '{label}' changes accuracy by")
