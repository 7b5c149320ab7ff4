"""Names the patterns: every weight by itself, N of every M weights, whole channels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated

import torch
from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from sanity.errors import UserError
from sanity.masks import channels
from sanity.masks.allocation import Allocation, Shapes
from sanity.masks.layerwise import name_of
from sanity.masks.pattern_base import Pattern, Selection, Shape
from sanity.masks.ranking import places as positions_of

_LARGEST = 1024
_ALLOWED = f"should be unstructured or N:M with 0 < N < M <= {_LARGEST}, as in 2:4, or channel or inner_channel"


class Unstructured(Pattern):
    """Every weight by itself."""

    def members(self, shape: Shape, device: torch.device) -> Tensor:
        return torch.arange(prod(shape), device=device)[:, None]

    def group_size(self, shape: Shape) -> int:
        return 1

    def reduce(self, score: Tensor) -> Tensor:
        return score.flatten()

    def positions(self, groups: Tensor, shape: Shape) -> Tensor:
        return groups

    def exchange_width(self, shape: Shape) -> int:
        return prod(shape[1:])

    def permute(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
        return mask.flatten()[order].view_as(mask)


@dataclass(frozen=True)
class NofM(Unstructured):
    """N of every M consecutive weights along the input dimension, which for a convolution is in * height * width.

    A layer whose input dimension is no multiple of M stays dense (as in NVIDIA's ASP), and so do biases. In several
    rounds a group keeps round(density * M) of its M weights after each, and N after the last.
    """

    n: int
    m: int

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"

    def fits(self, shape: Shape) -> bool:
        """Returns whether a layer of `shape` is pruned: its input dimension is a multiple of M."""
        return len(shape) > 1 and prod(shape[1:]) % self.m == 0

    def check(self, shapes: Shapes, ratio: float, rule: Allocation | None) -> None:
        removed = 1 - self.n / self.m
        if abs(ratio - removed) > 1e-9:
            raise UserError(
                f"ratio={ratio}: pattern={self} removes {removed:.6g} of the weights; set ratio={removed:.6g}"
            )
        if rule is not None:
            raise UserError(
                f"pattern={self} allocation={name_of(rule)}: the pattern fixes how many weights each layer keeps; set "
                "allocation=global"
            )
        if not any(self.fits(shape) for shape in shapes.values()):
            inputs = ", ".join(str(prod(shape[1:])) for shape in shapes.values() if len(shape) > 1)
            raise UserError(f"pattern={self}: no layer has a multiple of {self.m} inputs (they have {inputs})")

    def planned(self, shapes: Shapes, ratio: float) -> int | None:
        return sum(
            prod(shape) // self.m * self._quota(ratio) if self.fits(shape) else prod(shape) for shape in shapes.values()
        )

    def select(
        self,
        scores: Mapping[str, Tensor],
        places: Mapping[str, Tensor] | None,
        shapes: Shapes,
        ratio: float,
        rule: Allocation | None,
        keep: int | None = None,
    ) -> Selection:
        kept: dict[str, Tensor] = {}
        tied: dict[str, Tensor] = {}
        for name, score in scores.items():
            if not self.fits(shapes[name]):
                kept[name] = torch.ones_like(score, dtype=torch.bool)
                continue
            whole = score.new_full((prod(shapes[name]),), -torch.inf)
            whole[slice(None) if places is None else places[name]] = score
            masks = self._best_of_each(whole.view(-1, self.m), self._quota(ratio))
            mask, ties = (each.flatten() if places is None else each.flatten()[places[name]] for each in masks)
            kept[name], tied[name] = mask, positions_of(ties)
        return Selection(kept, tied)

    def exchange_width(self, shape: Shape) -> int:
        return self.m if self.fits(shape) else prod(shape[1:])

    def permute(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Permutes `mask` within every M consecutive weights, so that it still has the pattern."""
        if not self.fits(mask.shape):
            return mask.clone()
        groups = mask.reshape(-1, self.m)
        order = torch.rand(groups.shape, generator=generator).argsort(dim=1).to(mask.device)
        return groups.gather(1, order).view_as(mask)

    def _quota(self, ratio: float) -> int:
        return min(max(round((1 - ratio) * self.m), self.n), self.m)

    def _best_of_each(self, groups: Tensor, quota: int) -> tuple[Tensor, Tensor]:
        """Returns the highest `quota` of each row of (groups, M) scores, the first among equals, and those that tie."""
        order = groups.argsort(dim=1, descending=True, stable=True)
        mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order[:, :quota], True)
        if quota == self.m:
            return mask, torch.zeros_like(mask)
        last, next_best = (groups.gather(1, order[:, place : place + 1]) for place in (quota - 1, quota))
        tied = mask & (groups == last) & (last == next_best) & torch.isfinite(groups)
        return mask, tied


UNSTRUCTURED = Unstructured()


def get(name: str, network: nn.Module | None = None) -> Pattern:
    """Returns the pattern of that name: `unstructured`, N:M as in `2:4`, `channel` or `inner_channel`.

    network: what has the channels; without it the patterns of channels leave every layer whole.
    Raises `UserError` for what is no pattern, and for channels that cannot be followed through the network.
    """
    try:
        name = _canonical(name)
    except PydanticCustomError as error:
        raise UserError(f"pattern={name}: {error.message()}") from None
    if name == "unstructured":
        return UNSTRUCTURED
    if name in channels.NAMES:
        return channels.of_network(name, network)
    n, m = map(int, name.split(":"))
    return NofM(n, m)


def _canonical(value: object) -> str:
    text = str(value)
    if text in ("unstructured", *channels.NAMES):
        return text
    if re.fullmatch(r"[0-9]{1,4}:[0-9]{1,4}", text):
        n, m = map(int, text.split(":"))
        if 0 < n < m <= _LARGEST:
            return f"{n}:{m}"
    raise PydanticCustomError("pattern", _ALLOWED)


PatternName = Annotated[
    str, PlainValidator(_canonical), Field(title="unstructured|N:M as in 2:4|channel|inner_channel")
]
"""The type of an option that names a pattern."""
