"""Defines the interface of all checks: a check perturbs the search's data, the ticket, or the method's ranking."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from methods.aspects import EVERYTHING, Aspect
from methods.counts_from import method_of_counts
from methods.moments import needs_dense
from sanity.config.options import fill
from sanity.data.dataset import Dataset
from sanity.errors import UserError, of_ones_own, unknown
from sanity.masks.ticket import Ticket
from sanity.seeds import derive

if TYPE_CHECKING:
    from methods.base import Method

M = TypeVar("M")
T = TypeVar("T")

Prediction = Literal["identical", "same function", "null", "better", "open"]
"""What a check must do to a method's tickets, by construction.

    identical       it cannot change the ticket
    same function   it changes the ticket, but not what the network computes before training
    null            it changes the ticket, but tickets with and without it are draws of one distribution
    better          the ticket has a known defect that the check mends: accuracy must rise
    open            nothing follows: this is what is measured
"""
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)


HOOKS = ("corrupt", "perturb", "alter", "reallocate", "initialise")
"""What a check overrides to perturb something."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One perturbation. Every hook is the identity unless a check overrides it.

    keeps, destroys: what the perturbation leaves alone and what it takes away, in a researcher's words.
    """

    version: ClassVar[int] = 1
    """Raised where the same options come to perturb otherwise: its results, and no others, are then computed anew."""
    keeps: ClassVar[str] = ""
    destroys: ClassVar[str] = ""
    needs_end: ClassVar[bool] = False
    """Whether `perturb` needs the weights at the end of dense training (`Ticket.end`), which is then trained."""
    freezes: ClassVar[bool] = False
    """Whether pruned weights stay where they start (`Ticket.frozen`), so that signals go through them too."""
    draws: ClassVar[bool] = True
    """Whether every seed has a perturbation of its own; otherwise all have the same."""
    dose: ClassVar[str] = ""
    """The option that says how much is destroyed, where there is one."""
    dose_is_moment: ClassVar[bool] = False
    """Whether the dose is a moment of dense training (`sanity.config.moment`); it then counts in epochs."""
    dose_scale: ClassVar[Literal["linear", "log10"]] = "linear"
    """How accuracy is regressed on the dose: on the option, with the control at 0, or on its logarithm, without it."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "predicts" not in vars(cls) and set(HOOKS) & vars(cls).keys():
            cls.predicts = Check.predicts  # type: ignore[method-assign]  # it does something else than its base class

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        """Returns the training set that the search for the ticket sees. Retraining always sees the clean one."""
        return dataset

    def inputs(self, dataset: Dataset) -> str:
        """Names what `corrupt` reads beside the run's training set, e.g. by the digest of other data; part of keys."""
        return ""

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        """Returns the ticket that is trained, from the one that the method returned."""
        return ticket

    def alter(self, method: M) -> M:
        """Returns the method that searches."""
        return method

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        """Raises `UserError` where the check cannot be made on tickets of `method` in `network`.

        It is called before anything is trained. method: the one that searches, after `alter`.
        """

    def refers_to(self) -> str:
        """Returns the method whose mask the check needs, as `snip` or `snip@lee2019`; empty where it needs none.

        Its mask of the same network, ratio and seed is found on the clean data. `reallocate` gets it, and `perturb`
        finds it in `Ticket.reference`.
        """
        return ""

    def reallocate(self, method: M, reference: Mapping[str, Tensor]) -> M:
        """Returns the method that searches, with another allocation taken from the mask that the check refers to."""
        return method

    def initialise(
        self,
        weights: Mapping[str, Tensor],
        fresh: Callable[[torch.Generator], Mapping[str, Tensor]],
        generator: torch.Generator,
    ) -> Mapping[str, Tensor]:
        """Returns the initial state dict that the search starts from; the usual one is retrained.

        weights: the usual initial state dict. fresh: draws another from the same distribution.
        """
        return weights

    def predicts(self, method: "Method") -> Prediction:
        """Returns what the check must do to the tickets of `method`, derived from its formula; it is proven.

        By default `identical` for a check of the data where the method neither reads data nor starts from dense
        training, else `open`. A check whose construction tells more overrides this. `null` may take it for granted
        that initial weights of a layer are independent draws of one symmetric distribution and that biases are
        constants; where an initialisation is otherwise, the grid makes it `open`.
        """
        if self.overrides("perturb", "alter", "reallocate", "initialise"):
            return "open"
        return "open" if self.overrides("corrupt") and not ignores(method, "data") else "identical"

    def overrides(self, *hooks: str) -> bool:
        """Returns whether this check overrides any of the named hooks."""
        return any(getattr(type(self), hook) is not getattr(Check, hook) for hook in hooks)


@dataclass(frozen=True)
class Composed(Check):
    """Applies one or more checks from left to right; each draws the same numbers whatever the others are."""

    parts: Mapping[str, Check]

    def corrupt(self, dataset: Dataset, generator: torch.Generator) -> Dataset:
        for name, part in self.parts.items():
            dataset = _expect(Dataset, part.corrupt(dataset, derive(generator, name)), name, "corrupt")
        return dataset

    def inputs(self, dataset: Dataset) -> str:
        return " ".join(filter(None, (part.inputs(dataset) for part in self.parts.values())))

    def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
        for name, part in self.parts.items():
            ticket = _expect(Ticket, part.perturb(ticket, derive(generator, name)), name, "perturb")
        return ticket

    def alter(self, method: M) -> M:
        for name, part in self.parts.items():
            with of_ones_own(f"check {name}: alter"):
                altered = part.alter(method)
            if not hasattr(altered, "saliency"):
                raise UserError(f"check {name}: alter returned {type(altered).__name__}, not a Method")
            method = altered
        return method

    def check_feasible(self, method: "Method", network: nn.Module) -> None:
        for name, part in self.parts.items():
            with of_ones_own(f"check {name}"):
                part.check_feasible(method, network)

    def refers_to(self) -> str:
        """Returns the one method that the parts refer to. Raises `UserError` where they refer to several."""
        methods = {method for part in self.parts.values() if (method := part.refers_to())}
        if len(methods) > 1:
            raise UserError(f"check {'+'.join(self.parts)} refers to {' and '.join(sorted(methods))}; one is allowed")
        return next(iter(methods), "")

    def reallocate(self, method: M, reference: Mapping[str, Tensor]) -> M:
        for part in self.parts.values():
            method = part.reallocate(method, reference)
        return method

    def initialise(
        self,
        weights: Mapping[str, Tensor],
        fresh: Callable[[torch.Generator], Mapping[str, Tensor]],
        generator: torch.Generator,
    ) -> Mapping[str, Tensor]:
        for name, part in self.parts.items():
            weights = part.initialise(weights, fresh, derive(generator, name))
        return weights

    def predicts(self, method: "Method") -> Prediction:
        """Returns what all parts together must do: each keeps what the parts before it kept."""
        searching, predictions = self.alter(method), []
        for name, part in self.parts.items():
            with of_ones_own(f"check {name}: predicts"):
                prediction = part.predicts(method if part.overrides("alter") else searching)
            if prediction not in PREDICTIONS:
                raise unknown(f"prediction of check {name}", prediction, PREDICTIONS)
            method = part.alter(method)
            predictions.append(prediction)
        return combined(predictions)

    def overrides(self, *hooks: str) -> bool:
        return any(part.overrides(*hooks) for part in self.parts.values())


def combined(predictions: Iterable[Prediction]) -> Prediction:
    """Returns what checks must do together that do this one by one."""
    moving = set(predictions) - {"identical"}
    if not moving:
        return "identical"
    if moving <= {"same function", "null"}:
        return "null" if "null" in moving else "same function"
    return moving.pop() if len(moving) == 1 else "open"


def need_mask(check: str, method: "Method") -> None:
    """Raises `UserError` where tickets of `method` start from the dense network: there is no mask to be moved."""
    if method.starts_dense:
        raise UserError(
            f"{check}: {method.called} starts from the dense network, so that there is no mask to move; run it "
            "with other checks, or none, into the same results_dir: one report shows both"
        )


def need_single_weights(check: str, pattern: str) -> None:
    """Raises `UserError` for a pattern, under which no kept weight can go to another layer by itself."""
    if pattern != "unstructured":
        raise UserError(f"{check} moves kept weights from layer to layer one by one, which pattern={pattern} forbids")


def ignores(method: "Method", *aspects: Aspect) -> bool:
    """Returns whether the method's mask depends on none of `aspects`, and its ticket on no dense training.

    Nor may the layer counts that it takes from another method (`allocation=from:METHOD`).
    """
    counted = method_of_counts(method)
    return _ranks_without(method, *aspects) and (counted is None or ignores(counted, *aspects))


def keeps_random_positions(method: "Method") -> bool:
    """Returns whether chance alone decides which weights of a layer are kept, whatever decides how many."""
    return _ranks_without(method, *EVERYTHING)


def _ranks_without(method: "Method", *aspects: Aspect) -> bool:
    return method.looks_at.isdisjoint(aspects) and not needs_dense(method)


def free_one_by_one(method: "Method", network: nn.Module, check: str) -> None:
    """Raises `UserError` where the method keeps whole units, whose weights cannot change places one by one."""
    if method.kept_together(network).keeps_units_whole:
        raise UserError(
            f"{check}: pattern={method.pattern} keeps units whole; use layerwise_rearrange, which moves them"
        )


def _expect(kind: type[T], value: object, name: str, hook: str) -> T:
    if not isinstance(value, kind):
        raise UserError(f"check {name}: {hook} returned {type(value).__name__}, not a {kind.__name__}")
    return value


def from_class(cls: type[Check], name: str, options: Mapping[str, Any]) -> Check:
    """Returns an instance of `cls` with `options` over its defaults."""
    if not (isinstance(cls, type) and issubclass(cls, Check)):
        raise UserError(f"check {name} is no class that derives from checks.base.Check")
    check = fill(cls, options, name)
    if check.dose and not check.dose_is_moment and not _is_dose(getattr(check, check.dose, None)):
        raise UserError(f"check {name}: its dose '{check.dose}' should be an option that is a number above 0")
    return check


def _is_dose(value: object) -> bool:
    return isinstance(value, int | float) and value > 0
