"""Makes a pruning method of a plain function of somebody else's code."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.base import Batches, Method
from methods.data import ScoringData
from methods.foreign import returned, signature
from methods.foreign.containment import contained
from methods.foreign.loader import loader_of
from sanity.errors import UserError
from sanity.masks import Mask, kept, size
from sanity.masks.allocation import budget
from sanity.masks.files.imports import say_once, show_match
from sanity.masks.repeated import RepeatedMask
from sanity.seeds import derive
from sanity.seeds import generator as seeded
from sanity.store.identity import differing

_QUICK = 60.0
"""Seconds; a function whose first call takes no longer is called a second time, to see whether it repeats."""
_DECIDED = (
    *("allocation", "convolution_rate"),
    *("smart_decay", "smart_linear_keep", "smart_layer_count", "smart_normaliser"),
    *("counts", "pattern", "rounds", "removed_per_round"),
)
"""Options of other methods that a function decides by itself."""
_repeated: set[type] = set()


@dataclass(frozen=True, kw_only=True)
class FunctionMethod(Method):
    """The masks of a plain function, which is called as (model, loader, ratio).

    takes: what the function's signature asks for. written: the function as the user wrote it.

    batch_size: examples in a batch of the loader; by default as many as the recipe trains on at once.
    augment: whether the loader crops and flips as the recipe does.
    """

    needs_data: ClassVar[bool] = True
    exact_counts: ClassVar[bool] = False
    takes: ClassVar[signature.Signature]
    written: ClassVar[str]

    batch_size: Annotated[int, Field(ge=1)] | None = None
    augment: bool = True

    @property
    def data(self) -> ScoringData:
        return ScoringData(whole=True, batch_size=self.batch_size, augment=self.augment)

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        """Returns the function's mask, whatever it keeps; a count off the budget is said in the log."""
        source = generator if generator is not None else seeded(0, "score")
        began = time.perf_counter()
        mask = RepeatedMask(self._call(model, batches, ratio, source))
        if type(self) not in _repeated and time.perf_counter() - began <= _QUICK:
            _repeated.add(type(self))
            mask.differs = _differing(mask, self._call(model, batches, ratio, source))
        self._say(mask, ratio)
        return mask

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        super().check_feasible(net, ratio)
        if changed := [name for name in _DECIDED if name in differing(self)]:
            option = f"{changed[0]}={getattr(self, changed[0])}"
            raise UserError(f"{self.written}: makes its mask itself, so that {option} has no effect; leave it out")

    def _call(self, model: nn.Module, batches: Batches, ratio: float, source: torch.Generator) -> Mask:
        """Calls the function on a copy of the network in training mode, as a network is that was just built."""
        device = next(model.parameters()).device
        net = copy.deepcopy(model).train()
        for parameter in net.parameters():
            parameter.grad = None
            parameter.requires_grad_(True)
        layers = returned.Layers.of(net, self.targets(net))
        extras = {"device": device, "generator": derive(source, "function")}
        arguments = {name: getattr(self, name) for name in self.takes.options}
        arguments |= {name: extras[name] for name in self.takes.extras}
        with contained(net, derive(source, "global").initial_seed(), device) as left:
            result = type(self).__dict__["__wrapped__"](net, loader_of(batches), ratio, **arguments)
            imported = returned.read(result, net, layers, self.written)
        traces = [f"leaves behind {', '.join(left)}; none of it stays"] if left else []
        show_match(self.written, imported.match, [*imported.notes, *traces])
        return {name: layer.to(device) for name, layer in imported.mask.items()}

    def _say(self, mask: RepeatedMask, ratio: float) -> None:
        total = size(mask)
        off, findings = kept(mask) - budget(total, ratio), []
        if off:
            side = "more" if off > 0 else "fewer"
            findings.append(f"keeps {abs(off)} of {total} weights {side} than ratio={ratio:g} asks for")
        if mask.differs:
            entries = f"{mask.differs} of {total} entries of the mask"
            findings.append(f"is not deterministic: two calls with one seed differ in {entries}")
        say_once(self.written, findings)


def _differing(mask: Mapping[str, Tensor], again: Mapping[str, Tensor]) -> int:
    return sum(int((layer != again[name]).sum()) for name, layer in mask.items())


@cache
def as_method(function: Callable[..., Any], name: str) -> type[FunctionMethod]:
    """Returns the method that calls a function; its parameters with plain defaults are the method's options.

    Args:
        function: takes a network that it may change, a loader, the ratio, and by name `device` and `generator` if it
            wants them. What it may return: see `methods.foreign.returned.read`.
        name: as the user wrote it, for messages.

    Raises:
        UserError: where it cannot be called so.
    """
    inherited = frozenset(option.name for option in fields(FunctionMethod))
    takes = signature.read(function, name, inherited)
    cls = make_dataclass(
        function.__name__,
        [(key, hint, field(default=default)) for key, (hint, default) in takes.options.items()],
        bases=(FunctionMethod,),
        namespace={
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
            "__doc__": function.__doc__ or f"The function {function.__qualname__} of {function.__module__}.",
            "__wrapped__": function,
            "takes": takes,
            "written": name,
        },
        frozen=True,
        kw_only=True,
    )
    assert issubclass(cls, FunctionMethod)
    return cls
