"""Defines the base class of models: a frozen dataclass of options that builds a network for any input shape."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

InputShape = tuple[int, int, int]


@dataclass(frozen=True)
class Model(ABC):
    """Base class of models. The help shows the first line of a subclass's docstring."""

    default_init: ClassVar[str] = "kaiming_fan_in"
    smallest_side: ClassVar[int] = 1

    @abstractmethod
    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        """Returns the network, from (N, *input_shape) to logits (N, classes).

        Afterwards the initialisation redraws the weights that it has a rule for; others stay as built. Numbers that are
        drawn here, from torch's, numpy's or Python's global generator, is seeded by the run's seed.
        """

    def rebuild(self, input_shape: InputShape, classes: int) -> nn.Module:
        """Returns the network of which `reinit` takes its weights: one that `build` returns under another seed.

        Overridden by a model whose `build` does not draw all weights anew, as of one that loads some from a file.
        """
        return self.build(input_shape, classes)
