"""Computes how many weights each layer keeps where that is fixed before ranking: uniform, ERK, smart ratio."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, log, prod
from typing import ClassVar, Literal, Self

import torch

from sanity.errors import UserError

Shapes = Mapping[str, Sequence[int]]
Counts = Literal[
    "rounded",
    "kept_floored",
    "removed_floored",
    "one_more_kept",
    "one_more_than_floored",
    "removed_ceiled",
    "one_more_removed",
]
"""How a round turns its ratio into a number of weights; see `kept_after`."""


class Allocation(ABC):
    """Computes kept weights per layer from the layers' shapes (in module order) and the ratio removed alone."""

    is_known: ClassVar[bool] = True
    """Whether `counts` can be asked before the search."""

    @abstractmethod
    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        """Returns kept weights per parameter. Raises `UserError` where the ratio leaves nothing to share out."""


def check_ratio(ratio: float) -> None:
    """Raises `UserError` for a ratio outside (0, 1)."""
    if not 0 < ratio < 1:
        raise UserError(f"ratio={ratio}: must lie in (0, 1), the fraction of weights removed")


def budget(total: int, ratio: float) -> int:
    """Returns round(density * total), the number of weights that a network of `total` prunable weights keeps."""
    check_ratio(ratio)
    kept = round((1 - ratio) * total)
    if kept == 0:
        raise UserError(
            f"ratio={ratio}: leaves none of the {total} prunable weights; {1 - 1 / total:.6g} would leave one"
        )
    return kept


def kept_after(counts: Counts, total: int, ratio: float, remaining: int, ratio_before: float = 0.0) -> int:
    """Returns how many weights a round keeps that takes a network of `total` prunable weights to `ratio`.

    counts: `rounded` round(density * total), `kept_floored` int(density * total), `removed_floored` total -
        int(ratio * total), `one_more_kept` one more than that, `one_more_than_floored` one fewer, `removed_ceiled`
        remaining - ceil(share * remaining), `one_more_removed` one fewer than that; share is the fraction of the
        remaining weights that goes from `ratio_before` to `ratio`.
    remaining: how many weights are left before the round.

    Raises `UserError` where none would be left.
    """
    kept = budget(total, ratio)
    if counts == "kept_floored":
        kept = int((1 - ratio) * total)
    elif counts in ("removed_floored", "one_more_kept", "one_more_than_floored"):
        kept = total - int(ratio * total) + (counts == "one_more_kept") - (counts == "one_more_than_floored")
    elif counts in ("removed_ceiled", "one_more_removed"):
        share = 1 - (1 - ratio) / (1 - ratio_before)
        kept = remaining - ceil(round(share * remaining, 6)) - (counts == "one_more_removed")
    if kept <= 0:
        raise UserError(f"ratio={ratio}: counts={counts} leaves none of the {total} prunable weights")
    return kept


def _largest_remainder(shares: Mapping[str, float], sizes: Mapping[str, int], kept: int) -> dict[str, int]:
    """Rounds `shares` to whole numbers that sum to `kept`: the largest fractions go up, ties by position."""
    counts = {name: min(floor(share), sizes[name]) for name, share in shares.items()}
    by_fraction = sorted(shares, key=lambda name: counts[name] - shares[name])
    missing = kept - sum(counts.values())
    for name in reversed(by_fraction):  # float64 rounding can lift a share to the next whole number
        if missing < 0 < counts[name]:
            counts[name] -= 1
            missing += 1
    while missing:
        for name in by_fraction:
            if missing and counts[name] < sizes[name]:
                counts[name] += 1
                missing -= 1
    return counts


def fitted(densities: Mapping[str, float], sizes: Mapping[str, int], kept: int) -> dict[str, int]:
    """Returns counts that sum to `kept`, with the layers' densities in these proportions.

    A layer whose density would exceed 1 is kept whole, and its surplus goes to the others in proportion. Where all
    layers with a density are full, the rest goes to the layers without.
    """
    full: set[str] = set()
    shares: dict[str, float] = {}
    while free := [name for name in sizes if name not in full]:
        rest = kept - sum(sizes[name] for name in full)
        weights = {name: densities[name] * sizes[name] for name in free}
        total = sum(weights.values())
        shares = {name: rest * weights[name] / total if total else rest / len(free) for name in free}
        over = {name for name in free if shares[name] > sizes[name]}
        if not over:
            break
        full |= over
    return _largest_remainder(
        {name: shares.get(name, 0) if name not in full else sizes[name] for name in sizes}, sizes, kept
    )


@dataclass(frozen=True)
class Uniform(Allocation):
    """The same density in every layer, exact in total."""

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        total = sum(sizes.values())
        kept = budget(total, ratio)
        shares = {name: float(Fraction(kept * size, total)) for name, size in sizes.items()}
        return _largest_remainder(shares, sizes, kept)


@dataclass(frozen=True)
class ERK(Allocation):
    """Erdos-Renyi-Kernel (Evci et al. 2020, RigL): density proportional to sum(dimensions) / product(dimensions).

    Layers whose share exceeds 1 are kept whole and the rest is shared out anew; exact in total.

    kernel: whether the sides of a kernel are dimensions too; without them it is Erdos-Renyi (Mocanu et al. 2018, SET):
        density proportional to (outputs + inputs) / (outputs * inputs).
    """

    kernel: bool = True

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        kept = budget(sum(sizes.values()), ratio)
        sides = {
            name: sum(shape) if self.kernel else sum(shape[:2]) * prod(shape[2:]) for name, shape in shapes.items()
        }
        dense: set[str] = set()
        scale = 0.0
        while free := [name for name in shapes if name not in dense]:
            scale = (kept - sum(sizes[name] for name in dense)) / sum(sides[name] for name in free)
            full = {name for name in free if scale * sides[name] > sizes[name]}
            if not full:
                break
            dense |= full
        shares = {name: float(sizes[name]) if name in dense else scale * sides[name] for name in shapes}
        return _largest_remainder(shares, sizes, kept)


@dataclass(frozen=True)
class SmartRatio(Allocation):
    """Smart ratio (Su et al. 2020): density falls quadratically with depth, the classifier keeps a fixed share.

    Layer l of L keeps a share proportional to (L-l+1)^2 + (L-l+1), in networks without shortcuts divided by l^2. Their
    code computes in float32, truncates every count and hands what exceeds a full layer to the next ones until a layer
    has room; what is left after that stays unassigned. All of this is reproduced, so the total may fall short of
    round(density * N) by a few weights (by many with `ascending`, which their cascade was not made for).

    decay: quadratic | linear (L-l+1) | ascending (l^2 + l) | cubic ((L-l+1)^3) | balanced, the ablations of their code.
    linear_keep: share of the classifier that is kept.
    layer_count: `counted` takes for L every layer, shortcuts and classifier included (Su et al.: 34 for ResNet32, 17
        for VGG19); `nominal` is the convention of Atanov et al. 2021 (33, the classifier left out, and 19, as if a VGG
        still had the three linear layers that gave it its name).
    normaliser: what the shares are divided by: their sum over the `convolutions`, every layer truncated, as in the code
        of Su et al.; or over `all` layers, classifier included, exact and in float64, as in that of Atanov et al.
    plain: divide by l^2; None decides by whether the convolutions form one chain, as in a VGG.

    Their rule knows one linear layer. Where there are more, all but the last follow the rule of the convolutions.
    """

    decay: Literal["quadratic", "linear", "ascending", "cubic", "balanced"] = "quadratic"
    linear_keep: float = 0.3
    layer_count: Literal["counted", "nominal"] = "counted"
    plain: bool | None = None
    normaliser: Literal["convolutions", "all"] = "convolutions"

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        names = list(shapes)
        sizes = torch.tensor([float(prod(shapes[name])) for name in names])
        budget(int(sizes.sum().item()), ratio)
        linear = names[-1] if len(shapes[names[-1]]) == 2 and len(names) > 1 else None
        body = range(len(names) - 1 if linear else len(names))
        fixed = int(self.linear_keep * sizes[-1]) if linear else 0
        goal = int(sizes.sum() * (1 - ratio)) - fixed
        if goal <= 0:
            raise UserError(
                f"ratio={ratio}: smart_ratio keeps {fixed} weights of {linear} alone, more than the budget of "
                f"{goal + fixed}; lower linear_keep or the ratio"
            )
        if self.normaliser == "all":
            return self._counts_of_all(shapes, ratio, self.linear_keep if linear else None)
        densities = self._densities(shapes, sizes, body, goal)
        counts = [int(sizes[i]) if densities[i] >= 1 else int(densities[i] * sizes[i]) for i in body]
        return dict(zip(names, [*counts, fixed] if linear else counts, strict=True))

    def _counts_of_all(self, shapes: Shapes, ratio: float, linear_keep: float | None) -> dict[str, int]:
        """As Atanov et al. count: in float64, only counts are truncated, and all surplus goes to the next layer."""
        sizes = [prod(shape) for shape in shapes.values()]
        fixed = linear_keep * sizes[-1] if linear_keep is not None else 0.0
        plain, depth = self._plain_and_depth(shapes)
        by_depth = plain and self.decay != "balanced"
        shares = [self._share(i + 1, depth) / ((i + 1) ** 2 if by_depth else 1) for i in range(len(sizes))]
        scale = sum(share * size for share, size in zip(shares, sizes, strict=True)) / (
            (1 - ratio) * sum(sizes) - fixed
        )
        densities = [share / scale for share in shares]
        if linear_keep is not None:
            densities[-1] = linear_keep
        for i, size in enumerate(sizes):
            if densities[i] > 1:
                if i + 1 < len(sizes):
                    densities[i + 1] += (densities[i] - 1) * size / sizes[i + 1]
                densities[i] = 1
        return {name: int(density * size) for name, density, size in zip(shapes, densities, sizes, strict=True)}

    def _plain_and_depth(self, shapes: Shapes) -> tuple[bool, int]:
        """Returns whether shares are divided by l^2, and the L that they are counted from."""
        plain = is_chain(shapes) if self.plain is None else self.plain
        return plain, len(shapes) + (0 if self.layer_count == "counted" else 2 if plain else -1)

    def _densities(self, shapes: Shapes, sizes: torch.Tensor, body: range, goal: int) -> torch.Tensor:
        if self.decay == "balanced":
            return torch.full((len(body),), goal / float(sizes[: len(body)].sum()))
        plain, depth = self._plain_and_depth(shapes)
        share = torch.tensor([float(self._share(i + 1, depth)) for i in body])
        divisor = [(i + 1) ** 2 if plain else 1 for i in body]
        whole = sum(int(sizes[i] * share[i] / divisor[i]) for i in body)
        if whole == 0:
            raise UserError(
                "smart_ratio: the layers are too small or too few to share by depth; set another allocation"
            )
        scale = goal / whole
        for i in body:
            share[i] = share[i] * scale / divisor[i]
        return _pour_over(share, sizes)

    def _share(self, layer: int, depth: int) -> int:
        rest = depth - layer + 1
        shares = {"quadratic": rest**2 + rest, "linear": rest, "ascending": layer**2 + layer, "cubic": rest**3}
        return shares.get(self.decay, 1)


def _pour_over(densities: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Fills layers whose density exceeds 1 and pours the surplus into the next ones, up to the first that has room."""
    surplus = 0
    for i in range(len(densities)):
        if densities[i] >= 1:
            surplus += int((densities[i] - 1) * sizes[i])
            densities[i] = 1
        else:
            room = int((1 - densities[i]) * sizes[i])
            densities[i] = densities[i] + surplus / sizes[i] if room >= surplus else 1
            surplus = max(0, surplus - room)
        if surplus == 0:
            break
    return densities


@dataclass(frozen=True)
class CountsOf(Allocation):
    """The counts of another mask.

    Before its ratio is reached, in the rounds of a search, the layers' densities are powers of their last ones, as with
    one threshold that falls exponentially; after it, and where the budget is another by a few weights, they keep their
    proportions.

    kept: kept weights per parameter; parameters that are not named stay whole.
    """

    kept: Mapping[str, int]

    @classmethod
    def of(cls, mask: Mapping[str, torch.Tensor]) -> Self:
        return cls({name: int(layer.sum()) for name, layer in mask.items()})

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        last = {name: self.kept.get(name, size) for name, size in sizes.items()}
        total, left = sum(sizes.values()), sum(last.values())
        keep = budget(total, ratio)
        way = 1.0 if left in (0, total) else log(keep / total) / log(left / total)
        return fitted({name: (last[name] / size) ** way for name, size in sizes.items()}, sizes, keep)


def is_chain(shapes: Shapes) -> bool:
    """Returns whether each convolution reads the channels that the one before wrote, so there is no shortcut."""
    convolutions = [shape for shape in shapes.values() if len(shape) > 2]
    return all(before[0] == after[1] for before, after in pairwise(convolutions))
