"""Computes the fraction of weights that is removed after each round of pruning."""

from math import ceil, log1p
from typing import Literal

from sanity.errors import UserError
from sanity.masks.allocation import check_ratio

MOST_ROUNDS = 10_000


def ladder(
    ratio: float, rounds: int, schedule: Literal["exponential", "linear"], removed_per_round: float | None = None
) -> list[float]:
    """Returns the fraction of all weights that is gone after each round; the last is `ratio`, which must lie in (0, 1).

    schedule: the density after round i of n is density^(i/n) (exponential) or 1 - ratio * i/n (linear).
    removed_per_round: fraction of the remaining weights that each round removes, in place of both.

    Raises `UserError` for a ratio outside (0, 1), and where `removed_per_round` asks for more than `MOST_ROUNDS`.
    """
    check_ratio(ratio)
    if removed_per_round is not None:
        exact = log1p(-ratio) / log1p(-removed_per_round)
        if exact > MOST_ROUNDS:
            least = 1 - (1 - ratio) ** (1 / MOST_ROUNDS)
            raise UserError(
                f"removed_per_round={removed_per_round}: to remove {ratio} takes more than {MOST_ROUNDS} rounds; "
                f"{least:.3g} is the least"
            )
        rounds = max(1, ceil(exact - 1e-9))
        return [*(1 - (1 - removed_per_round) ** i for i in range(1, rounds)), ratio]
    if schedule == "linear":
        return [*(ratio * i / rounds for i in range(1, rounds)), ratio]
    return [*(1 - (1 - ratio) ** (i / rounds) for i in range(1, rounds)), ratio]
