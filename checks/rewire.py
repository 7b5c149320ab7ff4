"""Rewires the mask: does it matter which units are connected, if each keeps its number of connections?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from checks.base import Check, Prediction, free_one_by_one, keeps_random_positions, need_mask
from sanity.masks import patterns
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class Rewire(Check):
    """Exchanges connections within every layer, so that every unit keeps its in-degree and its out-degree.

    Null hypothesis: given how many weights every unit keeps, it does not matter which units they connect. It is the
    null model of equal degrees of network science, for the question of Pham et al. 2023, who prune by paths and nodes.

    An output unit is a row of the weight: a neuron or an output channel. An input unit is a column: a neuron or, of a
    convolution, an input channel at one position of the kernel; so each input channel keeps its number of weights too,
    and each position of the kernel. Under N:M so does every block of M consecutive inputs of a unit. A layer with one
    output unit has no other mask of its degrees and stays. A tied weight is rewired once, for all its names.

    The swaps are made by global curveball trades (Strona et al. 2014; Carstens et al. 2018): in a trade the units are
    paired at random, and each pair shuffles between its two units the inputs that only one of them has. All masks of
    equal degrees are equally likely in the limit.

    trades: how many trades every unit takes part in. A trade moves about every second connection that can move, so 20
        trades are about 10 swaps a connection.
    """

    keeps: ClassVar[str] = "how many weights every unit keeps, incoming and outgoing, and the weights' values"
    destroys: ClassVar[str] = "which units are connected"

    trades: Annotated[int, Field(ge=1, le=10_000)] = 20

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        need_mask("rewire", method)
        free_one_by_one(method, network, "rewire")

    def predicts(self, method: "Method") -> Prediction:
        return "null" if keeps_random_positions(method) else "open"

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        pattern = patterns.get(ticket.pattern)
        rewired = {
            name: self._rewire(
                layer, pattern.exchange_width(layer.shape), ticket.groups.get(name, 1), derive(generator, name)
            )
            for name, layer in ticket.mask.items()
        }
        return replace(ticket, mask=rewired)

    def _rewire(self, mask: Tensor, width: int, groups: int, generator: torch.Generator) -> Tensor:
        """Returns `mask` after the trades, which stay within `width` consecutive inputs and within a group."""
        if mask.dim() < 2:
            return mask.clone()  # a bias is a unit's only one
        blocks = mask[0].numel() // width
        few = 2 * int(mask.sum()) <= mask.numel()  # else the pruned places are exchanged, which comes to the same
        table = (mask if few else ~mask).cpu().reshape(-1, width).clone()
        pools = _pools(mask.shape[0], blocks, groups)
        rows, columns = table.nonzero(as_tuple=True)
        for _ in range(self.trades):
            _trade(table, rows, columns, _partners(pools, generator), generator)
        return (table if few else ~table).view_as(mask).to(mask.device)


def _pools(units: int, blocks: int, groups: int) -> Tensor:
    """Returns (pools, units a pool): the rows of the table that may exchange connections with each other."""
    rows = torch.arange(units * blocks).view(groups, units // groups, blocks)
    return rows.transpose(1, 2).reshape(groups * blocks, -1)


def _partners(pools: Tensor, generator: torch.Generator) -> Tensor:
    """Returns (rows,): the row with which each is paired; itself for the one left over of an odd number."""
    order = torch.rand(pools.shape, dtype=torch.float64, generator=generator).argsort(dim=1)
    shuffled = pools.gather(1, order)
    even = shuffled.shape[1] // 2 * 2
    first, second = shuffled[:, 0:even:2].flatten(), shuffled[:, 1:even:2].flatten()
    partners = torch.arange(pools.numel())
    partners[first], partners[second] = second, first
    return partners


def _trade(table: Tensor, rows: Tensor, columns: Tensor, partners: Tensor, generator: torch.Generator) -> None:
    """Lets every pair of rows shuffle the columns that only one of the two has. Changes `table`, `rows`, `columns`.

    rows, columns: (connections,), the true places of `table`.
    """
    partner = partners[rows]
    movable = ((partner != rows) & ~table[partner, columns]).nonzero().squeeze(1)
    row, column, partner = rows[movable], columns[movable], partner[movable]
    pair = torch.minimum(row, partner)
    counts = torch.bincount(pair, minlength=len(table))
    kept_by_first = torch.bincount(row[row == pair], minlength=len(table))
    order = (pair + torch.rand(len(pair), dtype=torch.float64, generator=generator)).argsort()
    pair = pair[order]
    rank = torch.arange(len(pair)) - (counts.cumsum(0) - counts)[pair]
    new_row, new_column = torch.where(rank < kept_by_first[pair], pair, partners[pair]), column[order]
    table[row, column] = False
    table[new_row, new_column] = True
    rows[movable], columns[movable] = new_row, new_column
