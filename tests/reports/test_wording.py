"""The table of sentences: every template is said somewhere, and whatever is said is filled in."""

import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import reports
from reports import figures, formats, placement_shown, reference_sets, terminal, text
from reports.answer import answer
from reports.claims import found, written
from reports.claims import page as claims_page
from reports.claims.declared import Claim, Evidence, Paper
from reports.comparisons import VERDICTS
from reports.controls import judgement, verdict_on_controls
from reports.doses import sentence, slopes
from reports.expectations import Expectation, told, unmet
from reports.headline import lead, question, setting_line
from reports.methods_told import method_sentences
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
from tests.reports.levels import family, noisy
from tests.reports.test_channels import SIZES, SPEED
from tests.reports.test_doses import every_kind
from tests.reports.test_placement import OWN, SET
from tests.reports.test_placement import records as set_of

Record = Callable[..., dict]


class Recorder(dict[str, str]):
    """The templates, and which of them were asked for."""

    def __init__(self, templates: dict[str, str]) -> None:
        super().__init__(templates)
        self.said: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.said.add(key)
        return super().__getitem__(key)


def runs(make: Record, check: str, ratio: float, accuracies: list[float], **values: object) -> list[dict]:
    return [make("snip", check, ratio, seed, accuracy, **values) for seed, accuracy in enumerate(accuracies)]


def pair(make: Record, accuracies: list[float], moved: list[float], ratios: int = 1, check: str = "reinit",
         **values: object) -> pd.DataFrame:  # fmt: skip
    """The control with some accuracies and a check with others, alike at so many ratios."""
    rows = []
    for ratio in [1 - 0.8**k for k in range(1, ratios + 1)]:
        rows += runs(make, "none", ratio, accuracies, **({} if "identical_to_none" in values else values))
        rows += runs(make, check, ratio, moved, **values)
    return pd.DataFrame(rows)


def lost(frame: pd.DataFrame, which: "pd.Series[bool]", status: str = "missing") -> pd.DataFrame:
    """The frame with runs that did not take place."""
    gone = frame.copy()
    gone["reason"] = None
    gone.loc[which, ["last_test_accuracy", "best_test_accuracy"]] = math.nan
    gone.loc[which, ["status", "reason"]] = [status, "no memory" if status == "failed" else None]
    return gone


def beside_paper(make: Record, accuracies: list[float], means: list[float], **values: object) -> pd.DataFrame:
    rows = []
    for place, mean in enumerate(means):
        paper = {"paper_mean": mean, "paper_std": 0.1, "paper_n": 5, "paper_metric": "last", "paper_source": "T1"}
        rows += runs(make, "none", 0.5 + place / 20, accuracies, **paper, **values)
    return pd.DataFrame(rows)


def beside_random(frame: pd.DataFrame, make: Record, dense: float) -> pd.DataFrame:
    """The frame with random pruning, as good as its tickets, and a dense network of some accuracy."""
    tickets = frame[frame["check"] == "none"].assign(method="random")
    return pd.concat([pd.DataFrame([make("dense", "none", 0.0, 0, dense)]), frame, tickets], ignore_index=True)


def frames(make: Record) -> Iterator[pd.DataFrame]:
    """Records in which everything happens that a report has words for."""
    near, far, wide = [90.0, 90.1, 90.2], [80.0, 80.1, 80.3], [90.0, 89.0, 91.5]
    for ratios in (1, 6):
        for moved in (near[::-1], far, wide):
            yield pair(make, near, moved, ratios)
        yield pair(make, near, near, ratios, identical_to_none=True)
        yield pair(make, near, near, ratios, check="random_labels", identical_to_none=True)
        yield pair(make, near, [accuracy - 1 for accuracy in near], ratios)
        yield pair(make, near[:1], far[:1], ratios)
        yield pair(make, [10.0, 10.5], [10.0, 10.0], ratios, status="diverged")
        yield pair(make, near, [math.nan] * 3, ratios, status="diverged")
        yield pair(make, near, [101.0, -3.0, 1e308], ratios)
        yield pair(make, near, wide, ratios, collapsed=["conv1"])
        both = pair(make, near, far, ratios)
        for check in ("none", "reinit"):
            yield lost(both, both["check"] == check)
        yield lost(both, both["check"] == "reinit", "failed")
        yield lost(both, (both["seed"] < 2) == (both["check"] == "none"))
        if ratios > 1:
            some = both["ratio"] == both["ratio"].max()
            yield lost(both, some & (both["check"] == "reinit"))
            some_control = (both["ratio"] == both["ratio"].min()) & (both["check"] == "none")
            yield lost(both, some & (both["check"] == "reinit") | some_control)
            more = both[both["check"] == "reinit"].assign(check="invert")
            absent = more["ratio"].isin(sorted(more["ratio"].unique())[2:4])
            yield pd.concat([both, lost(more, absent)])
        yield lost(both, (both["seed"] == 0) & (both["check"] == "none"))
        yield lost(both, both["ratio"] > 0)
    frame = pair(make, near, wide, ratios=6)
    frame.loc[(frame["ratio"] == frame["ratio"].max()) & (frame["check"] == "reinit"), "last_test_accuracy"] = [
        90.9, 89.6, 90.1,
    ]  # fmt: skip
    yield frame
    yield pair(make, near, near, identical_to_none=True, predicted="identical")
    yield pair(make, near, near, operations={"whole": 100, "kept": 20})
    yield pair(make, near, near, small={**SIZES, "speed": SPEED}, best_epochs=[3])
    yield pair(make, near, near[::-1], predicted="same function", function_gap=1e-16)
    yield pair(make, near, near[::-1], predicted="same function", function_gap=0.1)
    yield pair(make, near, far, predicted="null")
    yield pair(make, near, [accuracy + 0.01 for accuracy in near], predicted="null")
    yield pair(make, far, near, predicted="better")
    yield pair(make, near, wide, ratios=6, predicted="better")
    yield pair(make, near, wide, predicted="better")
    yield pair(make, near, far, predicted="better")
    yield pair(make, near, near[::-1], effective_density=0.01, actual_ratio=0.3)
    for means in ([90.1], [95.0], [90.1, 90.1], [95.0, 95.0], [90.1, 95.0], [95.0] * 5):
        yield beside_paper(make, near, means, asked=5)
    above = beside_paper(make, near, [85.0, 95.0])
    yield above
    for unrun in (above["ratio"] > 0, above["ratio"] == 0.5):
        yield lost(above, unrun)
    other = lost(above, above["ratio"] == 0.5)
    other.loc[above["ratio"] == 0.5, "model"] = "lenet5"
    yield other
    three = beside_paper(make, near, [85.0, 95.0, 96.0])
    yield lost(three, three["ratio"] > 0.5)
    yield beside_paper(make, near[:1], [85.0])
    for ratios in (1, 6):
        yield pair(make, near, wide, ratios, earlier_look=2)
        yield pair(make, wide, far, ratios, effective_density=0.0)
        yield pair(make, [10.0, 11.0, 10.5], [11.0, 10.0, 10.1], ratios, classes=10)
        for moved in ([88.0, 85.0, 40.0], [70.0, 93.0, 81.0], [90.6, 91.0, 91.4]):
            yield pair(make, near, moved, max(ratios, 2))
        yield pair(make, [50.0, 50.1, 50.2], [52.0, 70.0, 99.0], ratios)
        for predicted in (near[::-1], far):
            yield pair(make, near, predicted, ratios, predicted="null")
        yield pair(make, near, near[::-1], ratios, predicted="same function")
        uneven = [0.7, -0.7, 0.6, -0.5, 0.8, -0.8]
        yield pair(make, [90.0] * 6, [90.0 + by for by in uneven], ratios)
        skewed = [0.1, -0.1, 0.05, -0.05, 0.15, -0.15, 0.0, 0.2, -0.2, 0.1, 0.9]
        yield pair(make, [90.0] * 11, [90.0 + by for by in skewed], ratios)
        for dense in (90.2, 99.0):
            yield beside_random(pair(make, near, near[::-1], ratios), make, dense)
    yield pair(make, near, [90.1, 90.2, 45.0])
    yield pair(make, [10.0, 10.1], [10.1, 10.0], classes=10, predicted="better")
    leads = ((9.0, 9.1, 9.3), (-9.0, -9.1, -9.3), (0.6, 0.9, 1.2), (-0.6, -0.9, -1.2), (0.1, -0.1, 0), (0.3, -0.3, 0))
    against = pd.DataFrame([
        make(method, "none", 0.5 + place / 20, seed, 80 + 0.1 * seed + (by if method == "snip" else 0.0))
        for place, by_seed in enumerate(leads) for seed, by in enumerate(by_seed) for method in ("snip", "random")
    ])  # fmt: skip
    yield pd.concat([against, against.assign(recipe="long")])
    other_draw = pair(make, near, near[::-1])
    yield pd.concat([other_draw, other_draw[other_draw["check"] == "reinit"].assign(check="resample")])
    last = pair(make, [90.0, 90.0], [80.0, 99.0])
    yield last
    yield last.assign(off_budget=[-2, 3] * (len(last) // 2), repeat_differs=7)
    yield last.assign(off_budget=[0, 3] * (len(last) // 2))
    size = {"parameters": 1, "flops": 2, "dense_parameters": 4, "dense_flops": 4}
    yield last.assign(small=pd.Series([size] * len(last), index=last.index, dtype=object))
    for parameters in (1, 9):
        sizes = {f"table.{place}": 10 for place in range(parameters)}
        yield last.assign(left_dense=pd.Series([sizes] * len(last), index=last.index, dtype=object))


def sentences(records: pd.DataFrame, metric: str) -> str:
    """Everything that a report says of records in words, but for its pictures."""
    summary = summarise(records, metric)
    answers = [answer(setting, summary) for setting in summary.names("setting")]
    aside = [[verdict_on_controls(summary)], [question(summary), setting_line(summary), *lead(summary)]]
    trained_by = "python -m sanity.run reproduction=lee2019_table1"
    aside += [[one.text for one in trust(records, summary)], [str(next_step(records, summary))]]
    aside += [[str(next_step(records, summary, trained_by))]]
    aside += [[outlook(cell, summary), judgement(cell), *flaws(cell, summary)] for cell in summary.cells]
    of = share(summary.cells)
    return (
        f"{overview(summary)} {legend(summary)} {of} {answers} {aside} {list(method_sentences(summary))} "
        f"{[meaning(name, summary) for name in VERDICTS]}"
    )


def first_screens(make: Record) -> Iterator[pd.DataFrame]:
    """Records whose heading, controls and pictures are of kinds that the others do not show."""
    near, lower = [90.0, 90.1, 90.3], [80.0, 80.1, 80.2]
    for check in ("half_dataset+reinit", "reinit"):
        one = pair(make, near, [90.2, 89.9, 90.5], check=check)
        yield one.assign(predicted="null")
        yield pd.concat([one, one.assign(method="synflow")])
    yield pd.concat([pair(make, near, [90.0, 90.15, 90.25]), pair(make, near, [93.0, 88.0, 90.0]).assign(ratio=0.8)])
    held = pair(make, lower, near, predicted="better")
    yield pd.concat([held, pair(make, near, [91.0, 89.0, 90.0], predicted="better").assign(ratio=0.9)]).drop(
        columns="wall_s"
    )
    for keeps in ("the mask", ""):
        said = {"mine:Halved": {"keeps": keeps, "destroys": "the scale of the weights"}}
        yield pair(make, near, lower, check="mine:Halved", check_words=said)
    yield pd.concat([pair(make, near, lower, check=f"mine[x={place}]") for place in range(25)]).drop_duplicates(
        ["check", "seed"]
    )
    yield pair(make, [98.5] * 3, [99.2, 98.0, 97.2])  # an interval wider than what accuracies allow
    unrun = [make("snip", "none", 0.9, 0, math.nan, status="missing", paper_mean=90.0, paper_source="T1")]
    yield pd.DataFrame([*unrun, make("snip", "none", 0.5, 0, 90.0)])
    yield pd.DataFrame([*unrun, make("snip", "none", 0.5, 0, 90.0, paper_mean=90.0, paper_source="T1")])
    yield pd.concat([pair(make, near, lower), pair(make, near, lower, check="rewire").assign(method="synflow")])
    yield from every_kind()


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
        placed = placement(set_of(OWN), set_of(theirs), "last", 0.5)
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
    monkeypatch.setattr(found, "_folder", {"here": measured, "lee": found._folder("measured/lee2019_table1")}.get)
    evidence = [
        *(Evidence("here", "snip", predicted, check="invert") for predicted in ("equal", "worse", "better")),
        Evidence("here", "snip", "no_worse", against="dense"),
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
        for metric in ("last", "best"):
            assert not re.findall(r"\{\w*\}", sentences(records, metric))
    for records in every_kind():
        assert not any(re.findall(r"\{\w*\}", sentence(slope)) for slope in slopes(summarise(records)))
    for damaged in (1, 2):
        unreadable = pd.DataFrame([{"status": "unreadable", "reason": "it is damaged"}] * damaged)
        assert remarks(pd.concat([frame.assign(origin="packed"), unreadable], ignore_index=True))
    assert remarks(frame.assign(match="live"))
    say("verify.run", method="snip", ratio="90 %", check="none", seed=0)
    for again in (90.0, 90.2, 93.0):
        assert not re.findall(r"\{\w*\}", Verification("a run", 90.0, again).text(margin=0.5))
    monkeypatch.setattr(figures, "PANELS", 1)
    other = (
        frame[frame["check"] == "none"]
        .assign(check="invert", ratio=0.9, predicted="open")
        .drop_duplicates(["method", "seed"])
    )
    monkeypatch.setattr(formats, "PRINTED", 20)
    reports.write(pd.concat([frame, other]), tmp_path, formats=["html"])
    levels = [*family(noisy(2)), *family(0 * noisy(2) + 90, ratio=0.9)]  # a clear gap, and none
    bird = {"epoch": 2, "emerged": True, "distances": [[0.0, 0.2], [0.2, 0.0]]}
    reports.write(pd.DataFrame([row | {"early_bird": bird} for row in levels]), tmp_path, formats=["html"])
    reports.show(frame, io.StringIO())
    monkeypatch.setattr(terminal, "WIDTH", 60)  # some columns have no room
    reports.show(frame, io.StringIO())
    reports.write(frame, tmp_path, spent="so many")
    reports.write(frame, tmp_path, formats=["latex"])
    wanted = [Expectation({"check": (check,)}, ("identical",)) for check in ("reinit", "of nobody")]
    missed = unmet(wanted, summarise(frame))
    assert not re.findall(r"\{\w*\}", told(wanted, missed) + told(wanted, []))
    for records in first_screens(make_record):
        reports.write(records, tmp_path, formats=["html"])
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
