"""Prunes a ticket anew until its weights on live paths, not its kept weights, meet the budget (`match=live`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from methods.base import Method
from sanity.errors import UserError
from sanity.grid.experiment import Experiment
from sanity.grid.ticket_source import TicketSource
from sanity.masks import Mask, kept, prunable
from sanity.masks.allocation import budget
from sanity.masks.effective_density import live_weights

TOLERANCE = 0.02
"""How far the live weights may miss the budget, as a share of it. One weight more can bring a unit with all its inputs
to life, so that a small network cannot meet every budget exactly."""


@dataclass
class Attempts:
    """Finds masks of any number of kept weights, counts their live weights, and remembers the nearest to the budget."""

    find: Callable[[int], Mask]
    live: Callable[[Mask], int]
    target: int
    nearest: Mask = field(default_factory=dict)
    miss: int = -1

    def count(self, keep: int) -> int:
        """Returns how many weights are live in the ticket that keeps `keep` weights."""
        mask = self.find(keep)
        live = self.live(mask)
        if self.miss < 0 or abs(live - self.target) < self.miss:
            self.nearest, self.miss = mask, abs(live - self.target)
        return live


def matched(find: Callable[[float], Mask], method: Method, ratio: float, ticket: TicketSource,
            experiment: Experiment, alive: Mask) -> Mask:  # fmt: skip
    """Returns the mask whose live weights are nearest to round((1 - ratio) * N), N the number of prunable weights.

    The method keeps more weights, as at a lower ratio, until as many as that are live; every number that is tried is
    pruned from the beginning. A check that perturbs the ticket is applied before the weights are counted, so a ticket
    and its control have equal live weights and not, in general, equal counts.

    Args:
        find: returns the mask for a ratio, always the same for the same ratio.
        ticket: what is trained; its own mask is not read. Its check perturbs each mask that is tried.
        alive: the weights that may be kept.

    Raises `UserError` where no number of kept weights comes as near as `TOLERANCE`, e.g. in a collapsed network.
    """
    net = experiment.initial(ticket.seed)
    total = sum(weight.numel() for weight in method.targets(net).values())
    target = budget(sum(weight.numel() for weight in prunable(net).values()), ratio)

    def live(mask: Mask) -> int:
        return live_count({name: layer.cpu() for name, layer in mask.items()}, ticket, experiment)

    attempts = Attempts(lambda keep: find(1 - keep / total), live, target)
    _search(attempts, target, min(kept(alive), total - 1))
    if attempts.miss > TOLERANCE * target:
        raise UserError(
            f"match=live: no number of kept weights gives {target} live weights; the nearest misses by {attempts.miss}"
        )
    return attempts.nearest


def live_count(mask: Mapping[str, Tensor], ticket: TicketSource, experiment: Experiment) -> int:
    """Returns how many weights of `ticket`, under this mask and its check, lie on a path from input to output."""
    made = ticket.load(experiment, mask)
    if made.frozen:
        raise UserError("match=live: pruned weights that are frozen still conduct, so every path is live")
    net = experiment.initial(ticket.seed)
    weights = {name: made.mask[name] for name in prunable(net)}
    return sum(int(layer.sum()) for layer in live_weights(net, weights, experiment.train.input_shape).values())


def _search(attempts: Attempts, low: int, most: int) -> None:
    """Tries numbers of kept weights from `low`, which has too few live weights, by doubling, then by halving."""
    at_low = attempts.count(low)
    high, at_high = low, at_low
    step = max(attempts.target - at_low, 1)
    while at_high < attempts.target and high < most:
        low, at_low = high, at_high
        high = min(high + step, most)
        at_high = attempts.count(high)
        step *= 2
    halve = False
    while attempts.miss and high - low > 1:
        share = 0.5 if halve else (attempts.target - at_low) / max(at_high - at_low, 1)
        middle = min(max(low + round(share * (high - low)), low + 1), high - 1)
        at_middle = attempts.count(middle)
        if at_middle < attempts.target:
            low, at_low = middle, at_middle
        else:
            high, at_high = middle, at_middle
        halve = not halve
