"""Blanks the images: does the ticket depend on the images at all?"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from checks.base import Check
from sanity.data.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class BlankInputs(Check):
    """Replaces every image by the same plain one while the ticket is searched.

    Null hypothesis: the search uses nothing of the images.

    What a gradient then is: the same for all examples but for the label, so that a batch with equally many of every
    class shows the network one input and uniform targets. Weights of the first layer get the gradient of their output
    times one constant. With `mean` this constant is almost zero: the first layer has next to no gradient, and a global
    ranking by gradients may empty it, which the report marks. Batch statistics see variance only at the images' border.

    value: `black`, or the `mean` colour, which normalisation turns into zeros but for the rounding to a byte.
    """

    keeps: ClassVar[str] = "the labels and the shape of the images"
    destroys: ClassVar[str] = "everything in the images"
    draws: ClassVar[bool] = False

    value: Literal["black", "mean"] = "black"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        colour = [0.0 if self.value == "black" else 255 * mean for mean in dataset.mean]
        pixel = torch.tensor(colour).round().clamp(0, 255).to(dataset.examples.device, torch.uint8)
        return replace(dataset, examples=pixel.view(1, -1, 1, 1).expand(len(dataset), *dataset.input_shape))
