"""A cell and a comparison of methods as one row of numbers, for CSV and JSON."""

from reports import inference, search_costs
from reports.comparisons import Comparison
from reports.designs import design_of
from reports.methods_compared import MethodComparison
from reports.references import could_not_fail
from reports.statistics import Cell, Summary


def flat(cell: Cell, summary: Summary) -> dict[str, object]:
    """A cell as one row of numbers without formatting; what it does not have stays empty."""
    comparison, paper = cell.comparison, cell.paper
    row: dict[str, object] = {name: getattr(cell, name) for name in ("dataset", "model", "recipe", "method", "check")}
    row |= {"ratio": cell.ratio, "n": cell.accuracy.n, "missing": cell.missing, "failed": sum(cell.failed.values())}
    row |= {"diverged": len(cell.diverged), "collapsed": cell.collapsed_runs}
    row |= {"mean": cell.accuracy.mean, "std": cell.accuracy.std}
    row |= {name: getattr(cell, name) for name in ("kept", "prunable", "actual_ratio", "effective_density")}
    outcomes = cell.outcomes
    row |= {"start_accuracy": outcomes.start, "pruned_accuracy": outcomes.pruned}
    row |= {"early_stop_accuracy": outcomes.early_stop, "early_stop_epoch": outcomes.early_epoch}
    row |= {"barrier_orders": outcomes.barrier_orders, "barrier_control": outcomes.barrier_control}
    row |= {"round_accuracies": " ".join(f"{accuracy:g}" for accuracy in outcomes.rounds)}
    row |= search_costs.flat(cell.cost)
    small = cell.smaller
    row |= {"small_parameters": small and small.parameters, "small_operations": small and small.operations}
    row |= {"forward_speed_up": small and small.forward, "step_speed_up": small and small.step}
    row |= {"predicted": cell.predicted, "function_gap": cell.function_gap}
    row |= {"mask_overlap": cell.overlap, "expected_overlap": cell.expected_overlap}
    row |= {
        **_numbers(comparison, " / ".join([*cell.setting, cell.method, cell.check]), summary),
        "could_not_fail": could_not_fail(cell, summary),
        "paper_mean": paper and paper.mean,
        "paper_std": paper and paper.std,
        "paper_n": paper and paper.n,
        "paper_metric": paper and paper.metric,
        "compared_metric": paper and paper.compared,
        "delta": paper and paper.delta,
        "delta_half_interval": paper and paper.half,
        "delta_errors": paper and paper.errors,
        "inside": paper and paper.inside,
        "paper_source": paper and paper.source,
    }
    return row


def against(one: MethodComparison, summary: Summary) -> dict[str, object]:
    """A method against a reference at one ratio, as one row of numbers."""
    row: dict[str, object] = dict(zip(("dataset", "model", "recipe"), one.setting, strict=True))
    row |= {"method": one.method, "reference": one.reference, "ratio": one.ratio, "n": one.accuracy.n}
    row |= {"mean": one.accuracy.mean, "std": one.accuracy.std}
    row |= {"reference_mean": one.other.mean, "reference_std": one.other.std}
    claim = " / ".join([*one.setting, one.method, f"against {one.reference}"])
    return row | _numbers(one.comparison, claim, summary) | {"outcome": one.outcome}


def _numbers(comparison: Comparison | None, claim: str, summary: Summary) -> dict[str, object]:
    """The numbers of a comparison; all empty where there is none.

    claim: names the family of tests that Holm's correction is made for, those of all ratios.
    """
    return {
        "metric": comparison and summary.metric,
        "margin": comparison and summary.margin,
        "alpha": comparison and summary.alpha,
        "design": comparison and summary.design,
        "claim": comparison and claim,
        "difference": comparison and comparison.difference.mean,
        "difference_std": comparison and comparison.difference.std,
        "difference_low": comparison and comparison.low,
        "difference_high": comparison and comparison.high,
        "difference_confidence": comparison and comparison.confidence,
        "smallest_excluded": comparison and comparison.excluded,
        "pairs": comparison and comparison.difference.n,
        "p_different": comparison and comparison.p_different,
        "p_holm": comparison and comparison.p_holm,
        "tests_in_claim": comparison and comparison.family,
        "p_equivalent": comparison and comparison.p_equivalent,
        "detectable_difference": comparison and _detectable(comparison, summary),
        "p_within_two_margins": comparison and comparison.p_small,
        "p_runs_apart": comparison and comparison.p_apart,
        "verdict": comparison and comparison.verdict,
        "verdict_by_numbers": comparison and (comparison.found or comparison.verdict),
        "why": comparison and (comparison.obstacle or comparison.manner),
        "seeds_needed": comparison and comparison.seeds_needed,
    }


def _detectable(comparison: Comparison, summary: Summary) -> float:
    """The difference that as many seeds with this spread find four times out of five, after Holm's correction."""
    difference, design = comparison.difference, design_of(summary.design)
    return inference.detectable(difference.std, difference.n, summary.alpha / max(comparison.family, 1), design)
