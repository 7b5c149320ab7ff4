"""Describes which training examples a method scores on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ScoringData:
    """Describes how the examples of a method are drawn; `methods.gradients.GradientMethod` has these as options.

    examples_per_class: examples of every class in a batch.
    examples: size of a batch instead, classes at random.
    batches: how many batches are drawn.
    balanced: every class equally often; otherwise examples_per_class * classes examples at random.
    order: `mixed`, or `class_sorted`.
    split: parts that each batch is cut into, each a batch of its own.
    batch_size: cuts each batch into batches of at most so many examples instead.
    passes: how often all of it is read: every pass after the first has the examples in another order and augmented
        anew, and its batches follow those of the one before.
    augment: with the recipe's crops and flips.
    whole: all examples instead, in batches of `batch_size` (None: of the recipe's size), in a new order on every pass.
    """

    examples_per_class: int = 10
    examples: int | None = None
    batches: int = 1
    balanced: bool = True
    order: Literal["mixed", "class_sorted"] = "mixed"
    split: int = 1
    batch_size: int | None = None
    passes: int = 1
    augment: bool = False
    whole: bool = False
