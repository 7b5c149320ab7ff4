"""Records in which everything happens that a report has words for."""

import math
from collections.abc import Callable, Iterator

import pandas as pd

from tests.reports.test_channels import SIZES, SPEED
from tests.reports.test_doses import every_kind

Record = Callable[..., dict]


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
    two_models = beside_paper(make, near, [90.1, 95.0]).assign(
        paper_std=[math.nan] * 6, paper_n=[5.0] * 3 + [math.nan] * 3
    )
    yield pd.concat([two_models, two_models.assign(model="other")])
    many = [two_models.assign(model=f"m{place}", dataset=f"d{place}", recipe=f"r{place}") for place in range(4)]
    yield pd.concat(many)
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
        alike = pair(make, near, near[::-1], ratios)
        yield beside_random(together(alike, alike.replace("reinit", "invert")), make, 90.2)
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


MOVED = {
    "effect": [-8.0, -8.1, -8.3], "gain": [8.0, 8.1, 8.3], "likely": [-0.6, -0.9, -1.2], "likely_gain": [0.6, 0.9, 1.2],
    "none": [0.1, -0.1, 0.0], "small": [0.5, -0.3, 0.1], "open": [2.0, -1.0, 0.5], "identical": [0.0, 0.0, 0.0],
}  # fmt: skip


def panel(make: Record, cases: dict[str, list[str]], check: str = "reinit") -> pd.DataFrame:
    """Methods under a check, each with the case of `MOVED`, "untestable" or "missing", that it is at each sparsity."""
    rows = []
    for method, kinds in cases.items():
        for place, kind in enumerate(kinds):
            ratio, predicted = 0.5 + place / 20, "null" if kind == "untestable" else "open"
            for seed in range(3):
                rows.append(make(method, "none", ratio, seed, 80 + 0.1 * seed))
                gone = {"status": "missing"} if kind == "missing" else {}
                moved = math.nan if gone else MOVED.get(kind, MOVED["none"])[seed]
                rows.append(make(method, check, ratio, seed, 80 + 0.1 * seed + moved, predicted=predicted, **gone,
                                 identical_to_none=kind == "identical"))  # fmt: skip
    return pd.DataFrame(rows)


def together(*panels_of_checks: pd.DataFrame) -> pd.DataFrame:
    """Several checks of the same tickets."""
    return pd.concat(panels_of_checks).drop_duplicates(["method", "check", "ratio", "seed"])


def panels(make: Record) -> Iterator[pd.DataFrame]:
    """Several methods, sparsities and checks, of each verdict that they can have together."""
    every = (*MOVED, "untestable", "missing")
    for kind in every:
        both = {"snip": [kind] * 2, "grasp": [kind] * 2}
        yield panel(make, both)
        for cases in ({"snip": [kind] * 2}, both):
            yield together(panel(make, cases), panel(make, cases, "invert"))
        mixed = {"snip": ["effect", kind, "none"], "grasp": ["none", kind, kind], "synflow": [kind, "none", "likely"]}
        yield panel(make, mixed)
    mixed = {"snip": ["effect", "open"], "grasp": ["likely", "none"]}
    yield together(panel(make, mixed), panel(make, {**mixed, "snip": ["none"] * 2}, "invert"))
    checks = ["reinit", "invert", "rewire", "freeze", "sign_flip", "half_dataset", "examples", "one_class"]
    checks += ["layerwise_shuffle", "layerwise_rearrange+reinit"]
    yield together(*(panel(make, {"snip": [kind]}, check) for check, kind in zip(checks, every, strict=True)))
    yield together(*(panel(make, {"snip": ["none"]}, check) for check in checks))
    many = {f"m:{place}": ["effect", "none"] if place % 2 else ["none", "effect"] for place in range(6)}
    yield panel(make, many | {"m:5": ["effect", "effect"], "m:4": ["likely", "open"]})
