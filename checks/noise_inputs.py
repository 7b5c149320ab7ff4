"""Replaces the images by noise: does the ticket depend on what the images show?"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from checks.base import Check
from sanity.data.dataset import Dataset, statistics
from sanity.data.examples import Examples, View
from sanity.seeds import derive

_QUANTILES = ndtri((np.arange(2048) + 0.5) / 2048)


@dataclass(frozen=True, kw_only=True)
class NoiseInputs(Check):
    """Replaces every image by Gaussian noise with the mean and deviation of the data while the ticket is searched.

    Null hypothesis: of the images, the search uses no more than the mean and deviation of their channels.

    Wang et al. 2023 (NTK-SAP) prune on Gaussian inputs. Every value is drawn by itself. Images are bytes: the noise is
    cut off at black and white, and its parameters are those with which mean and deviation are right after the cut.
    """

    keeps: ClassVar[str] = "the labels, and the mean and deviation of every channel"
    destroys: ClassVar[str] = "all that the images show"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        noise = Noise(dataset.examples, generator)
        return replace(dataset, examples=noise.fetch(torch.arange(len(noise))) if dataset.in_memory else noise)


class Noise(View):
    """View with an image of noise in the place of each of `base`, always the same one."""

    def __init__(self, base: Tensor | Examples, generator: torch.Generator) -> None:
        super().__init__(base)
        self._source = generator

    @cached_property
    def _parameters(self) -> tuple[Tensor, Tensor]:
        """Location and scale of the normal distribution before the cut, of every channel: (C, 1, 1), of 255."""
        parameters = torch.tensor([clipped_normal(*moments) for moments in zip(*statistics(self.base), strict=True)])
        location, scale = (255 * parameters.float()).T[..., None, None]
        return location, scale

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the noise at `indices`."""
        location, scale = self._parameters
        drawn = [torch.randn(self.shape[1:], generator=derive(self._source, number)) for number in indices.tolist()]
        return (location + scale * torch.stack(drawn)).round().clamp(0, 255).to(self.device, torch.uint8)

    def prefetch(self, indices: Tensor) -> None:
        """Does nothing: the images of `base` are not read."""


def clipped_normal(mean: float, std: float) -> tuple[float, float]:
    """Returns location and scale of the normal distribution that has this mean and deviation once it is cut to [0, 1].

    std: at most 0.5; 1 stands for a constant channel, as `statistics` has it. The closest one where none has them.
    """
    if std > 0.5:
        return mean, 0.0

    def deviations(parameters: np.ndarray) -> list[float]:
        values = np.clip(np.exp(parameters[1]) * (parameters[0] + _QUANTILES), 0, 1)
        return [values.mean() - mean, values.std() - std]

    from scipy.optimize import least_squares  # takes a second to import

    solved = least_squares(deviations, (np.clip(mean / std, -9, 9), np.log(std)), bounds=([-10, -12], [1e6, 9])).x
    return float(np.exp(solved[1]) * solved[0]), float(np.exp(solved[1]))
