"""Provides what gradient-based methods share: their data, the mode of batch norm while scoring, and chunks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches, Method
from methods.data import ScoringData
from sanity.models.behaviour import mixes_examples

BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, kw_only=True)
class GradientMethod(Method):
    """A method that reads training examples.

    batch_norm: `batch` statistics while scoring (most published code), or `running` ones (SNIP 2019, SynFlow's code).
        Dropout is off in both.
    examples_per_class: examples of every class in a batch (10 in most published code).
    examples: size of a batch instead, classes at random.
    balanced: every class equally often; otherwise examples_per_class * classes examples at random.
    batches: how many batches are drawn. The gradients of their mean losses are added up.
    order: `mixed`, or `class_sorted` as in the official GraSP, where the halves of a batch see different classes.
    split: parts that each batch is cut into, each a batch of its own.
    batch_size: cuts each batch into batches of at most so many examples instead, as a loader does.
    augment: with the recipe's crops and flips, as most published code has it.
    chunk: examples in one pass, which bounds memory. Only the memory depends on it: a batch is never cut where the
        network's output for an example depends on the others, as with batch statistics.
    """

    needs_data: ClassVar[bool] = True

    batch_norm: Literal["batch", "running"] = "batch"
    examples_per_class: Annotated[int, Field(ge=1)] = 10
    examples: Annotated[int, Field(ge=1)] | None = None
    balanced: bool = True
    batches: Annotated[int, Field(ge=1, le=10_000)] = 1
    order: Literal["mixed", "class_sorted"] = "mixed"
    split: Annotated[int, Field(ge=1)] = 1
    batch_size: Annotated[int, Field(ge=1)] | None = None
    augment: bool = False
    chunk: Annotated[int, Field(ge=1)] = 256

    @property
    def data(self) -> ScoringData:
        return ScoringData(
            examples_per_class=self.examples_per_class,
            examples=self.examples,
            batches=self.batches,
            balanced=self.balanced,
            order=self.order,
            split=self.split,
            batch_size=self.batch_size,
            augment=self.augment,
        )

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        for examples, targets in batches:
            gradient(F.cross_entropy(net(examples), targets), self.targets(net))

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        for module in net.modules():
            if isinstance(module, BatchNorm):
                module.train(self.batch_norm == "batch")

    def parts(self, net: nn.Module, batch: tuple[Tensor, Tensor]) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Yields the chunks of a batch, each with its share of the batch's mean.

        The batch is not cut where the output for one example depends on the others, as with batch statistics.
        """
        examples, _ = batch
        tied = any(isinstance(module, BatchNorm) and module.training for module in net.modules())
        whole = len(examples) <= self.chunk or tied or mixes_examples(net, examples)
        return chunks(batch, None if whole else self.chunk)


def gradient(loss: Tensor, parameters: dict[str, nn.Parameter], graph: bool = False) -> dict[str, Tensor]:
    """Returns the gradient of a scalar by every parameter; zero for one that it does not depend on."""
    grads = torch.autograd.grad(loss, list(parameters.values()), create_graph=graph, allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if grad is None else grad
        for (name, parameter), grad in zip(parameters.items(), grads, strict=True)
    }


def chunks(batch: tuple[Tensor, Tensor], size: int | None) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Yields parts of a batch of at most `size` examples (None: the whole), each with its share of the batch's mean."""
    examples, targets = batch
    step = size or len(examples)
    for start in range(0, len(examples), step):
        part = slice(start, start + step)
        yield examples[part], targets[part], len(examples[part]) / len(examples)
