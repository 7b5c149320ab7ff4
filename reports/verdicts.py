"""Finds the verdicts of one claim: Holm's correction over its ratios, the degree of each, the interval that decided."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports import inference
from reports.comparisons import BY_CONSTRUCTION, FAR, NAN, OPEN, Comparison
from reports.designs import FIXED, Design


def decided(claim: Sequence[Comparison], margin: float, alpha: float, design: Design = FIXED) -> list[Comparison]:
    """The comparisons of one claim (one check of one method in one setting, over its ratios) with their verdicts.

    Holm's correction is made over those of them that allow a test; all others come back as they are, but for what
    cannot matter by construction.
    """
    tested = [comparison for comparison in claim if comparison.tested]
    p = [comparison.p_different for comparison in tested]
    p_holm, steps = inference.holm(p), inference.holm_steps(p, alpha)
    verdicts = inference.degrees(
        inference.decide(p_holm, [comparison.p_equivalent for comparison in tested], alpha),
        p,
        [comparison.p_apart for comparison in tested],
        [comparison.p_small for comparison in tested],
        alpha,
    )
    final = iter([
        _final(replace(comparison, verdict=str(verdict), p_holm=float(adjusted), family=len(tested)), int(step), margin,
               alpha, design)
        for comparison, adjusted, verdict, step in zip(tested, p_holm, verdicts, steps, strict=True)
    ])  # fmt: skip
    return [_by_construction(next(final) if comparison.tested else comparison) for comparison in claim]


def _final(comparison: Comparison, step: int, margin: float, alpha: float, design: Design) -> Comparison:
    """The comparison with its manner, the interval that decided and, where it is open, the seeds needed."""
    difference = comparison.difference
    numbers = difference.mean, difference.std, difference.n
    verdict, manner = _manner(comparison, margin, alpha)
    if verdict in ("equivalent", "small or none"):
        (low, high), confidence = inference.interval(*numbers, alpha, 1, design), 1 - 2 * alpha
    else:
        step = 1 if verdict == "likely different" and manner != "runs" else step
        (low, high), confidence = inference.interval(*numbers, alpha / step, 2, design), 1 - alpha / step
    needed = NAN
    if verdict in OPEN and manner != "skewed":
        needed = inference.seeds_to_decide(*numbers[:2], margin, alpha, comparison.family, design)
        needed = max(needed, difference.n + 1)
    return replace(
        comparison, verdict=verdict, manner=manner, low=low, high=high, confidence=confidence, seeds_needed=needed
    )


def _manner(comparison: Comparison, margin: float, alpha: float) -> tuple[str, str]:
    """The verdict, lowered from equivalent where the differences are skewed, and what else must be known of it."""
    values = np.array([moved for _, moved in comparison.seeds])
    verdict = comparison.verdict
    if verdict == "equivalent" and np.abs(values).max(initial=0) > margin and inference.skewed(values):
        return "small or none", "skewed"
    if verdict == "likely different" and not comparison.p_different < alpha:
        return verdict, "runs"
    if verdict == "undecided" and len(values) and float(np.ptp(values)) > FAR * margin:
        return verdict, "wide"
    return verdict, ""


def _by_construction(comparison: Comparison) -> Comparison:
    """What cannot matter by construction is not testable, unless the numbers say that it does: that must be seen."""
    if comparison.obstacle not in BY_CONSTRUCTION.values() or comparison.verdict in ("identical", "missing"):
        return comparison
    verdict = comparison.verdict if comparison.verdict == "different" else "not testable"
    return replace(comparison, verdict=verdict, found=comparison.verdict, seeds_needed=NAN)
