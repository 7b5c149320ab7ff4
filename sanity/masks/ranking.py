"""Ranks scores: keeps an exact number of the highest, and among equals the first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sanity.errors import UserError


def keep_best(scores: Tensor, count: int) -> Tensor:
    """Returns a boolean tensor, true for exactly `count` of the highest scores; among equals the first is kept."""
    return ranked(scores, count)[0]


def as_ranked(score: Tensor) -> Tensor:
    """Returns a score in a type that can be ranked, with the same values: numpy, which ranks on the CPU, lacks bf16."""
    return score.float() if score.dtype == torch.bfloat16 else score


def ranked(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns what `keep_best` keeps, and the flat positions of those of these that tie with a score not kept."""
    flat = scores.flatten()
    none = torch.empty(0, dtype=torch.int64, device=flat.device)
    if count >= flat.numel():
        return torch.ones_like(scores, dtype=torch.bool), none
    if count <= 0:
        return torch.zeros_like(scores, dtype=torch.bool), none
    threshold = _kth_smallest(flat, flat.numel() - count)
    kept = _at_least(flat, threshold)
    surplus = number(kept) - count
    if not surplus:
        return kept.view_as(scores), none
    tied = places(flat == threshold)
    by_position, gone = tied[: len(tied) - surplus], tied[len(tied) - surplus :]
    kept[gone] = False
    return kept.view_as(scores), by_position


def _at_least(flat: Tensor, threshold: Tensor) -> Tensor:
    """Returns where values reach the threshold; on the CPU by numpy, which takes a fifth of the time."""
    if flat.device.type != "cpu":
        return flat >= threshold
    return torch.from_numpy(flat.numpy() >= threshold.numpy())


def joined(parts: list[Tensor]) -> Tensor:
    """Concatenates the parts; on the CPU by numpy, whose large memory pages make it five times as fast."""
    if parts[0].device.type != "cpu":
        return torch.cat(parts)
    return torch.from_numpy(np.concatenate([part.numpy() for part in parts]))


def places(mask: Tensor) -> Tensor:
    """Returns the flat positions at which a mask is true, ascending; on the CPU by numpy, which is faster."""
    if mask.device.type != "cpu":
        return mask.flatten().nonzero().squeeze(1)
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def taken(values: Tensor, positions: Tensor) -> Tensor:
    """Returns the values (n,) at these positions; on the CPU by numpy, which takes a third of the time."""
    if values.device.type != "cpu":
        return values[positions]
    return torch.from_numpy(np.take(values.detach().numpy(), positions.numpy()))


def chosen(values: Tensor, mask: Tensor) -> Tensor:
    """Returns the values (n,) where a mask (n,) is true; on the CPU by numpy, which takes a quarter of the time."""
    if values.device.type != "cpu":
        return values[mask]
    return torch.from_numpy(values.numpy()[mask.numpy()])


def number(mask: Tensor) -> int:
    """Returns how many entries of a mask are true; on the CPU by numpy, whose count needs no sum of 64-bit integers."""
    return int(np.count_nonzero(mask.numpy())) if mask.device.type == "cpu" else int(mask.sum())


_MANY = 100_000
_SAMPLE = 4096


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    """Returns the value that has `k` others below it or equal, `k` counted from 0."""
    if flat.device.type != "cpu":
        return flat.sort().values[k]  # on a GPU kthvalue uses one block of threads, sort uses all
    # numpy, because torch's kthvalue also tracks indices and takes five times as long.
    values, k = _narrowed(flat.numpy(), k)
    return torch.as_tensor(np.partition(values, k)[k], dtype=flat.dtype)


def _narrowed(values: NDArray[Any], k: int) -> tuple[NDArray[Any], int]:
    """Returns those values among which the k-th smallest of all is, and its rank among them.

    To copy and part all values takes longer than to compare them with two bounds from a sample, between which the value
    lies. Where the sample misleads, all values are returned.
    """
    total = len(values)
    step = sampling_step(total)
    if step is None:
        return values, k
    sample = np.sort(values[::step])
    first, last = window(len(sample), k / total)
    near = ~(values > sample[last]) if last < len(sample) else np.ones(total, dtype=bool)
    below = 0
    if first > 0:
        lower = values < sample[first]
        near &= ~lower
        below = int(np.count_nonzero(lower))
    between = np.take(values, np.flatnonzero(near))
    return (between, k - below) if below <= k < below + len(between) else (values, k)


def sampling_step(total: int) -> int | None:
    """Returns which of `total` values a sample takes, every n-th; None where they are too few to be sampled."""
    return None if total < _MANY else total // _SAMPLE


def window(samples: int, share: float) -> tuple[int, int]:
    """Returns between which of so many sorted samples the value lies that has this `share` of all values below it.

    Either may lie outside of the sample; five standard deviations to either side.
    """
    slack = 5 * (share * (1 - share) / samples) ** 0.5 + 2 / samples
    return int((share - slack) * samples), int((share + slack) * samples)


def check_finite(scores: Mapping[str, Tensor]) -> None:
    """Raises `UserError` naming the first parameter whose score has a NaN or an infinity."""
    for name, score in scores.items():
        if torch.isfinite(score.sum()):  # a cheap test in one pass; the sum may overflow, so check on
            continue
        bad = int((~torch.isfinite(score)).sum())
        if bad:
            raise UserError(f"score of '{name}' has {bad} of {score.numel()} values that are NaN or infinite")
