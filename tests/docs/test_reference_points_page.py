"""The page on reference points: what it says of the short recipe beside a published one is what the records say."""

from pathlib import Path

import pytest

from reports.reference_sets import summary_of, verdict
from reports.statistics import Summary
from reports.wording import mean_std, method_name
from sanity.cli.reference import load
from sanity.store import load_records

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference_points.md").read_text(encoding="utf-8")
METHODS = ("snip", "grasp", "synflow", "magnitude")
CHECKS = ("layerwise_rearrange", "reinit", "invert")


@pytest.fixture(scope="module")
def recipes() -> tuple[tuple[Summary, str], tuple[Summary, str]]:
    """The set's recipe at 98 % and the published one at 98.2 %, with what follows the name of a method in it."""
    short = load("mnist_lenet_300_100")
    published = load_records(ROOT / "reproductions" / "measured" / "frankle2021_lenet")
    return (
        (summary_of(short[short["ratio"].isin([0.0, 0.98])]), ""),
        (summary_of(published[(published["ratio"] - 0.982).abs() < 1e-3]), "@frankle2021"),
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_short_recipe_stands_beside_the_published_one(
    recipes: tuple[tuple[Summary, str], tuple[Summary, str]], method: str
) -> None:
    row = [method_name(method)]
    for check in ("none", *CHECKS):
        for summary, variant in recipes:
            (cell,) = summary.select(method=method + variant, check=check)
            row.append(mean_std(cell.accuracy) if check == "none" else verdict(cell))
    assert f"| {' | '.join(row)} |" in PAGE
