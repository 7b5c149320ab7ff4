"""The page on reference points: what it says of the short recipe beside a published one is what the records say."""

from pathlib import Path

import pytest

from reports.reference_sets import summary_of, verdict
from reports.statistics import Summary
from reports.wording import mean_std, method_name
from reproductions.reference.records import load
from sanity.store import load_records

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference_points.md").read_text(encoding="utf-8")
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
LEADING = ("force", "px", "snip", "synflow", "prospr", "grasp")
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


def test_random_pruning_by_both_recipes_is_where_the_page_says(
    recipes: tuple[tuple[Summary, str], tuple[Summary, str]],
) -> None:
    (short, _), (published, _) = recipes
    (of_short,) = short.select(method="random[allocation=global]", check="none")
    (of_published,) = published.select(method="random@frankle2021", check="none")
    assert f"random pruning at {of_published.accuracy.mean:.1f} and {of_short.accuracy.mean:.1f} %" in PAGE


def test_what_the_readme_says_of_tickets_at_98_percent() -> None:
    cells = summary_of(load("mnist_lenet_300_100")).select(ratio=0.98)  # each check over all its ratios is one claim
    own = {cell.method: cell.accuracy.mean for cell in cells if cell.check == "none"}
    assert f"Of {len(own)} kinds of tickets" in README
    leading = [own[method] for method in LEADING]
    learnt = own["edge_popup"], own["gem_miner"]
    assert "({:.1f} and {:.1f} %)".format(*learnt) in README
    assert max(leading) < min(learnt) < own["partially_trained[rewind=weights]"]
    assert max(leading) - min(leading) < 0.5
    assert min(leading) - max(mean for method, mean in own.items() if method.startswith("random")) > 0.5
    by_check = {
        check: {cell.method: cell.compared for cell in cells if cell.method in LEADING and cell.check == check}
        for check in ("layerwise_rearrange", "random_labels", "reinit")
    }
    rearranged = by_check["layerwise_rearrange"]
    costs = [-rearranged[method].difference.mean for method in LEADING]
    assert f"costs these six {min(costs):.1f} to {max(costs):.1f} points at 98 %" in README
    verdicts = [rearranged[method].verdict for method in LEADING]
    assert verdicts == ["different"] * 2 + ["likely different"] * 3 + ["undecided"]  # in the README's order
    moved = [one.difference.mean for check in ("random_labels", "reinit") for one in by_check[check].values()]
    assert max(map(abs, moved)) < 0.55


def test_what_the_readme_says_of_layer_counts_is_in_the_report() -> None:
    folder = ROOT / "reproductions" / "measured" / "frankle2021_lenet_decomposed"
    row = next(
        line for line in (folder / "report.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| SNIP@frankle2021 | 98 %") and "95 %" in line
    )  # fmt: skip
    share = "95 % [85, 98]"
    assert share in row.replace("\\", "")
    assert f"there is {share} layer counts (n = 6," in README
