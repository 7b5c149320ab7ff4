"""Holds what trainings that run side by side have in common."""

from dataclasses import dataclass
from functools import cached_property

import torch

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.batches import BatchBuilder, normalisation
from sanity.training.epochs import Epochs, steps_per_epoch
from sanity.training.job import TrainingSpec


@dataclass(frozen=True)
class Setting:
    """Holds what all jobs of one call of `train` share: data, recipe, device, precision, layout."""

    train: Dataset
    test: Dataset
    recipe: Recipe
    device: torch.device
    precision: str
    layout: torch.memory_format = torch.contiguous_format
    """Of images and of convolutions' weights in memory (see `memory_format`)."""

    def epochs(self, job: TrainingSpec) -> Epochs:
        """Divides `job` into epochs on these data."""
        return job.epochs(self.recipe, steps_per_epoch(len(self.train), self.recipe))

    @cached_property
    def batches(self) -> tuple[BatchBuilder, BatchBuilder]:
        """Builders of training and test batches, which normalise alike."""
        mean, std = normalisation(self.train, self.recipe.normalise)
        return BatchBuilder(self.train, self.recipe, mean, std), BatchBuilder(self.test, self.recipe, mean, std)
