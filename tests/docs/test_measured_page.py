"""The page of measured things: what it says of lottery tickets under fresh weights is what the records say."""

from pathlib import Path

from reports.claims import declared
from reports.claims.found import findings
from reports.comparisons import Comparison

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "measured.md").read_text(encoding="utf-8").split())
README = " ".join((ROOT / "reproductions" / "measured" / "README.md").read_text(encoding="utf-8").split())


def fresh_weights(outcome: str) -> Comparison:
    """The iterative ticket under fresh weights, against itself."""
    claims = declared.read("frankle_carbin2019").claims
    (comparison,) = {
        point.comparison
        for claim in claims
        for finding in findings(claim)
        for point in finding.points
        if finding.evidence.records.startswith("measured")
        and (finding.evidence.check, finding.evidence.outcome) == ("reinit", outcome)
        and "removed_per_round" in finding.evidence.method
    }
    assert comparison is not None
    return comparison


def test_fresh_weights_cost_as_many_points_and_epochs_as_the_page_says() -> None:
    stopped, last = fresh_weights("early_stop_test_accuracy"), fresh_weights("last_test_accuracy")
    cost = [f"{-one.difference.mean:.2f} [{-one.high:.2f}, {-one.low:.2f}]" for one in (stopped, last)]
    assert f"{cost[0]} at the smallest validation loss, and {cost[1]} at the end" in PAGE
    assert (stopped.verdict, last.verdict) == ("different", "different")
    epochs = fresh_weights("early_stop_epoch")
    times, low, high = (1 + value / 100 for value in (epochs.difference.mean, epochs.low, epochs.high))
    assert f"after {times:.1f} times as many epochs [{low:.1f}, {high:.1f}]" in PAGE
    assert f"need {times:.1f} times as many epochs as the ticket ({low:.1f} to {high:.1f};" in README
