"""Shows the search a single class: does the ticket depend on seeing them all?"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import torch
from pydantic import Field

from checks.base import Check, Prediction, ignores
from sanity.data.dataset import Dataset
from sanity.errors import UserError

if TYPE_CHECKING:
    from methods.base import Method


@dataclass(frozen=True, kw_only=True)
class OneClass(Check):
    """Keeps the examples of one class only while the ticket is searched.

    Null hypothesis: the ticket does not depend on what tells the classes apart.

    Lee et al. 2019 score one class at a time to see what the first layer's mask then shows. A method that draws equally
    many examples of every class draws as many in all, from this one (`balanced=false`).

    label: the class, counted from 0; by default every seed draws its own.
    """

    keeps: ClassVar[str] = "images with their labels, of one class, and how many examples are scored"
    destroys: ClassVar[str] = "all other classes"

    label: Annotated[int, Field(ge=0)] | None = None

    def predicts(self, method: "Method") -> Prediction:
        return "identical" if ignores(method, "data") else "open"

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        drawn = int(torch.randint(dataset.classes, (), generator=generator))
        label = drawn if self.label is None else self.label
        chosen = (dataset.targets == label).nonzero().flatten()
        if not len(chosen):
            raise UserError(
                f"one_class.label={label}: the data set has no example of it; classes are 0 to {dataset.classes - 1}"
            )
        return dataset.subset(chosen)

    def alter(self, method: Any) -> Any:
        balances = method.needs_data and getattr(method, "balanced", False)
        return replace(method, balanced=False) if balances else method
