"""Imported: the masks of somebody else, from files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import nn

from methods.base import Batches, Method
from methods.counts_from import refuse_allocation
from sanity.errors import UserError
from sanity.masks import Mask
from sanity.masks.files import formats
from sanity.masks.files.contents import masks_of
from sanity.masks.files.imports import ImportedMask, off_budget, plain_ratio, read_mask, show_match
from sanity.masks.files.paths import fill_in, find, naming
from sanity.masks.files.writing import place_of

_KEY = "imported.masks"
_NOT_IN_THE_MASK = ("masks", "paper_accuracy")
"""Options that the mask does not depend on, but for the content of the file."""


@dataclass(frozen=True, kw_only=True)
class Imported(Method):
    """The masks of somebody else, from files.

    Nothing is searched, so that checks of the data say nothing of it and are refused; those of the ticket apply. What
    is retrained are the run's initial weights; `init=file:PATH` takes those of a file.

    masks: a file (safetensors, npz, or torch's .pt and .pth without Python objects), a folder, or a pattern with {seed}
        and {ratio}. Masks are 0/1 tensors by name or in the order of the modules, those of torch.nn.utils.prune, or
        open_lth's.
    from: `weights` takes the zeros of pruned weights for the mask.
    paper_accuracy: the test accuracy in percent that their paper prints; the report shows it beside ours.
    """

    exact_counts: ClassVar[bool] = False
    reads_files: ClassVar[bool] = True

    masks: str = ""
    from_: Literal["masks", "weights"] = "masks"
    paper_accuracy: Annotated[float, Field(gt=0, le=100)] | None = None

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        device = next(model.parameters()).device
        return {name: layer.to(device, copy=True) for name, layer in self._read(model).mask.items()}

    def at(self, ratio: float, seed: int) -> Self:
        return replace(self, masks=fill_in(self.masks, _KEY, seed=seed, ratio=ratio))

    def inputs(self) -> str:
        return formats.digest(find(self.masks, _KEY))

    def key(self) -> list[Any]:
        name, options, code = super().key()
        return [name, {option: value for option, value in options.items() if option not in _NOT_IN_THE_MASK}, code]

    def printed_accuracy(self) -> float | None:
        return self.paper_accuracy

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        refuse_allocation(self)
        super().check_feasible(net, ratio)
        found, where = self._read(net), f"{_KEY}={self.masks}"
        off = off_budget(found.mask, ratio, where)
        weights = f"{abs(off)} weight{'s' * (abs(off) != 1)} {'more' if off > 0 else 'fewer'}"
        missed = [f"keeps {weights} than ratio={ratio:g} says"] if off else []
        show_match(where, found.match, [*found.notes, *missed, *self._place()])

    def _place(self) -> list[str]:
        """Says with which options the ticket trains from the moment that the file beside it names."""
        start, epochs, learning_rate = place_of(find(self.masks, _KEY))
        given: dict[str, object] = {}
        if start != 0 and (self.rewind, self.rewind_epoch) != ("learning_rate", start):
            given = {"imported.rewind": "learning_rate", "imported.rewind_epoch": start}
        if epochs is not None and epochs != self.retrain_epochs:
            given["imported.retrain_epochs"] = epochs
        if learning_rate is not None and learning_rate != self.retrain_lr:
            given["imported.retrain_lr"] = learning_rate
        words = " ".join(f"{option}={value}" for option, value in given.items())
        return [f"was exported with another place on the schedule; {words} trains it from there"] if given else []

    def why_no_data_checks(self) -> str:
        return (
            "a bare mask has no search whose data could be perturbed; run this check on the code that found it: "
            "methods=package.module:function"
        )

    @staticmethod
    def common_ratio(methods: "Sequence[Imported]", seeds: Sequence[int]) -> float:
        """The ratio that the masks of all these methods have. Raises `UserError` where it is not one."""
        patterns = dict.fromkeys((method.masks, method.from_) for method in methods)
        if any("{ratio}" in pattern for pattern, _ in patterns):
            raise UserError(f"{_KEY}={methods[0].masks}: say which, by ratio=")
        paths = {(find(fill_in(text, _KEY, seed=seed), _KEY), source) for text, source in patterns for seed in seeds}
        return plain_ratio([masks_of(formats.read(path), source).layers for path, source in sorted(paths)])

    def _read(self, net: nn.Module) -> ImportedMask:
        path = find(self.masks, _KEY)
        with naming(_KEY, path):
            return read_mask(path, self.targets(net), self.from_)
