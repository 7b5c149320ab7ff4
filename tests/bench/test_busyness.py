"""A benchmark says whether the machine had time for it."""

import pytest

from sanity.bench.busyness import Busyness, Watch, spread_of


@pytest.mark.parametrize(
    ("waited", "load", "spread", "too_busy"),
    [(0.01, 9.0, 0.02, False), (0.5, 0.1, 0.02, True), (0.01, 0.1, 0.5, True), (None, 9.0, 0.02, True),
     (None, 0.5, 0.02, False), (None, None, 0.02, False)],
)  # fmt: skip
def test_a_machine_is_too_busy_where_the_process_waits_or_its_figures_scatter(
    waited: float | None, load: float | None, spread: float, too_busy: bool
) -> None:
    busyness = Busyness(waited, load, 2, spread)
    assert busyness.too_busy is too_busy
    assert busyness.text().startswith("The machine was too busy to tell") is too_busy


def test_the_watch_sees_a_share_of_the_time() -> None:
    with Watch() as watch:
        sum(range(100_000))
    busyness = watch.seen(0.0)
    assert busyness.cores >= 1
    assert busyness.waited is None or 0 <= busyness.waited < 100


def test_the_spread_is_half_of_the_range() -> None:
    assert spread_of([0.8, 1.0, 1.4], 1.0) == pytest.approx(0.3)
