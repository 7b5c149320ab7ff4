"""Shows the search few examples: how many does it need?"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field

from checks.base import Check, Prediction, ignores
from sanity.data.dataset import Dataset
from sanity.data.source import occurrences
from sanity.errors import UserError

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class FewExamples(Check):
    """Keeps `n` examples, drawn at random, while the ticket is searched.

    Null hypothesis: accuracy does not change with the number of examples that the search sees.

    `half_dataset` (Su et al. 2020) as a dose. The examples are as balanced over the
    classes as `n` allows. Of one seed, more examples contain fewer. A method that scores batches scores one batch of
    all `n` of them (`examples=n`), whatever its own number is; one that trains, trains on them.

    n: how many.
    """

    keeps: ClassVar[str] = "images with their labels, n of them"
    destroys: ClassVar[str] = "all other examples"
    dose: ClassVar[str] = "n"
    dose_scale: ClassVar[Literal["linear", "log10"]] = "log10"

    n: Annotated[int, Field(ge=1)] = 10

    def predicts(self, method: "Method") -> Prediction:
        return "identical" if ignores(method, "data") else "open"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        if self.n > len(dataset):
            raise UserError(f"examples.n={self.n}: the training set has {len(dataset)} examples")
        order = torch.randperm(len(dataset), generator=generator)
        in_turn = order[occurrences(dataset.targets.cpu()[order]).argsort(stable=True)]  # one of every class at a time
        return dataset.subset(in_turn[: self.n].sort().values)

    def alter(self, method: Any) -> Any:
        takes = method.needs_data and "examples" in {field.name for field in fields(method)}
        return replace(method, examples=self.n) if takes else method
