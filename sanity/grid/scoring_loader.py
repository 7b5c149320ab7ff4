"""Makes loaders over all examples that a search may look at, for methods that read the training set themselves."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from sanity.recipes import Recipe
from sanity.seeds import derive
from sanity.training.batches import BatchBuilder, EpochOrder, crop_seeds

Example = tuple[Tensor, Tensor]


def crops_of(index: Tensor, recipe: Recipe, generator: torch.Generator) -> EpochOrder:
    """Draws crops and flips for the examples at `index`, int64 (n,), by the recipe's rule."""
    device = index.device
    shift = torch.randint(2 * recipe.crop_padding + 1, (1, len(index), 2), generator=generator)
    flip = torch.rand(1, len(index), generator=generator) < (0.5 if recipe.flip else 0.0)
    crop = crop_seeds(len(index), recipe, generator)[None]
    return EpochOrder(index[None], shift.to(device), flip.to(device), crop.to(device))


class Examples(MapDataset[Example]):
    """The examples as torch's loaders read them: normalised, and augmented anew at every access."""

    def __init__(self, images: BatchBuilder, recipe: Recipe, generator: torch.Generator) -> None:
        self._images, self._recipe, self.generator = images, recipe, generator

    def __len__(self) -> int:
        return len(self._images.dataset)

    def __getitem__(self, index: int) -> Example:
        return self.__getitems__([range(len(self))[index]])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        """A batch at a time; torch's loader asks for it so."""
        index = torch.tensor(indices, device=self._images.dataset.targets.device)
        images, targets = self._images.train(crops_of(index, self._recipe, self.generator), slice(None))
        return list(zip(images, targets, strict=True))

    @property
    def targets(self) -> Tensor:
        """The classes, int64 (n,), after the check; a copy."""
        return self._images.dataset.targets.clone()


class WholeSet(Sequence[Example]):
    """All examples in batches; `loader` makes the loader that somebody's function is given."""

    def __init__(self, images: BatchBuilder, recipe: Recipe, size: int, generator: torch.Generator) -> None:
        self._images, self._recipe, self._size, self._generator = images, recipe, size, generator

    def __len__(self) -> int:
        return math.ceil(len(self._images.dataset) / self._size)

    def __getitem__(self, number: Any) -> Any:
        """The batch of this number in the order of the data, not augmented."""
        start = range(len(self))[number] * self._size
        return self._images.test(slice(start, start + self._size))

    def loader(self) -> DataLoader[Example]:
        """Returns a loader; each pass has another order and other crops, and all loaders have the same ones."""
        examples = Examples(self._images, self._recipe, derive(self._generator, "augment"))
        order = derive(self._generator, "order")
        return cast(DataLoader[Example], DataLoader(examples, self._size, shuffle=True, generator=order))
