"""Describes a ticket as data: the sources of its weights and mask, its checks, its place on the schedule.

Tickets that wait for their training are held as their source, which takes little memory; `load` makes the ticket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from sanity import masks
from sanity.grid import keys, stored
from sanity.grid.cells import NO_CHECK, CheckSpec
from sanity.grid.experiment import Experiment, State
from sanity.grid.hashed_once import hashed_once
from sanity.grid.moments import At
from sanity.masks import patterns
from sanity.masks.channels import gone_with
from sanity.masks.ticket import Ticket, channel_groups, tied_names
from sanity.masks.updates import RULES, MaskUpdates
from sanity.seeds import generator


@dataclass(frozen=True)
class Weights:
    """Describes the source of weights: the initialisation of a seed, or a moment of a training.

    training: the key of a dense training, or the source of a trained ticket; None: the initialisation.
    data: the checks that corrupt the data of that training. at: the moment of it; None: its end.
    drawn_by: the checks that draw another initialisation.
    redrawn: which new draw of the initialisation it is, from 1; 0: the usual one.
    drawn: the key of the search that says at which moment of the dense training its mask was drawn; empty: `at` does.
    """

    seed: int
    training: "str | TicketSource | None" = None
    data: CheckSpec = NO_CHECK
    at: At = None
    drawn_by: CheckSpec = NO_CHECK
    drawn: str = ""
    redrawn: int = 0

    def __str__(self) -> str:
        if self.redrawn:
            return f"init({self.seed}, drawn anew {self.redrawn})"
        if self.training is None:
            return f"init({self.seed}{'' if self.drawn_by.is_control else f', {self.drawn_by.label}'})"
        at = f"{self.at}it" if isinstance(self.at, int) else self.at or "end"
        moment = f"drawn with {self.drawn}" if self.drawn else at
        return f"training({self.training}, {moment})"

    def load(self, experiment: Experiment) -> State:
        """Loads the state dict. Raises `UserError` if the training diverged or its weights are damaged."""
        if self.redrawn:
            return experiment.fresh(generator(self.seed, "redraw", self.redrawn))
        if self.training is None:
            return experiment.state(self.seed, self.drawn_by)
        return stored.weights(experiment, self.training_key(experiment), self.moment(experiment))

    def training_key(self, experiment: Experiment) -> str:
        """Returns the key of the training; empty for the initialisation."""
        if isinstance(self.training, TicketSource):
            return self.training.training_key(self.data, experiment)
        return self.training or ""

    @property
    def results(self) -> "list[str | Weights]":
        """What must be in the store before the weights can be loaded: nothing for an initialisation, else they, and
        before them the mask of the search that says at which moment they are taken."""
        return [] if self.training is None else [*filter(None, [self.drawn]), self]

    def moment(self, experiment: Experiment) -> At:
        """Returns the moment of the training; None: its end. The search that says it must have ended."""
        return stored.drawn_at(experiment, self.drawn) if self.drawn else self.at


@hashed_once
@dataclass(frozen=True)
class TicketSource:
    """Describes a ticket as data. Equal sources make the same ticket.

    mask: the key of the mask; empty for the dense network. perturbed_by: the checks that perturb the ticket.
    start: the moment of the schedule at which training starts. epochs: its length; None: to the schedule's end.
    pattern: which weights the method keeps together, see `sanity.masks.patterns`.
    reference: the key of the mask of the method that the check refers to; empty if it refers to none.
    updates: how the mask changes while the ticket trains; None: it stays.
    learning_rate: the constant learning rate of its training; None: the schedule's.
    """

    seed: int
    weights: Weights
    mask: str = ""
    perturbed_by: CheckSpec = NO_CHECK
    start: int | str = 0
    epochs: int | None = None
    pattern: str = "unstructured"
    reference: str = ""
    updates: MaskUpdates | None = None
    learning_rate: float | None = None

    def __str__(self) -> str:
        parts = [str(self.weights), f"mask {self.mask}" if self.mask else "dense"]
        parts += [] if self.perturbed_by.is_control else [self.perturbed_by.label]
        parts += [f"from {self.start}"] if self.start else []
        parts += [] if self.epochs is None else [f"{self.epochs} epochs"]
        parts += [] if self.learning_rate is None else [f"at {self.learning_rate:g}"]
        return f"ticket({', '.join(parts)})"

    def load(self, experiment: Experiment, mask: Mapping[str, Tensor] | None = None) -> Ticket:
        """Makes the ticket. Raises `UserError` if its mask or weights are not in the store.

        mask: takes the place of the ticket's own, before its check perturbs it.
        """
        net = experiment.initial(self.seed)
        if mask is None:
            mask = stored.mask(experiment, self.mask) if self.mask else masks.dense(net)
        ticket = Ticket(
            self.weights.load(experiment),
            mask,
            self.start,
            self.epochs,
            experiment.fresh,
            tied_names(net),
            self.pattern,
            channel_groups(net),
            net,
            follows=partial(gone_with, network=net) if patterns.get(self.pattern).keeps_units_whole else None,
            reference=stored.mask(experiment, self.reference) if self.reference else None,
            end=self.end(experiment).load(experiment) if experiment.needs_end(self.perturbed_by) else None,
            updates=self.updates,
            learning_rate=self.learning_rate,
        )
        if self.perturbed_by.is_control:
            return ticket
        return self.perturbed_by.build().perturb(ticket, generator(self.seed, "check"))

    def results(self, experiment: Experiment) -> list[str | Weights]:
        """Returns what must be in the store before the ticket can be made: keys of masks, and weights of trainings."""
        end = self.end(experiment).results if experiment.needs_end(self.perturbed_by) else []
        return [*filter(None, (self.mask, self.reference)), *self.weights.results, *end]

    def end(self, experiment: Experiment) -> Weights:
        """Returns the weights at the end of the usual dense training of the ticket's seed."""
        return Weights(self.seed, keys.dense(self.seed, NO_CHECK, experiment))

    def digest(self, experiment: Experiment) -> str:
        """Returns the digest of the ticket."""
        return experiment.once(("digest", self), lambda: self.load(experiment).digest())

    def training_key(self, data: CheckSpec, experiment: Experiment) -> str:
        """Returns the key of the ticket's training on the data after the checks `data`."""
        return keys.ticket(self.digest(experiment), self.seed, data, experiment)

    def as_dict(self) -> dict[str, Any]:
        """Converts the source to JSON types; `from_dict` reads it."""
        training = self.weights.training
        return {
            "seed": self.seed,
            "weights": {
                "seed": self.weights.seed,
                "training": training.as_dict() if isinstance(training, TicketSource) else training,
                "data": _parts(self.weights.data),
                "at": self.weights.at,
                "drawn_by": _parts(self.weights.drawn_by),
                "drawn": self.weights.drawn,
                "redrawn": self.weights.redrawn,
            },
            "mask": self.mask,
            "perturbed_by": _parts(self.perturbed_by),
            "start": self.start,
            "epochs": self.epochs,
            "pattern": self.pattern,
            "reference": self.reference,
            "updates": self.updates and [type(self.updates).__name__, self.updates.differing()],
            "learning_rate": self.learning_rate,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "TicketSource":
        """Reads a source that `as_dict` wrote."""
        of = fields["weights"]
        training = cls.from_dict(of["training"]) if isinstance(of["training"], Mapping) else of["training"]
        later = of.get("drawn", ""), of.get("redrawn", 0)
        weights = Weights(of["seed"], training, _spec(of["data"]), of["at"], _spec(of["drawn_by"]), *later)
        plain = {name: fields[name] for name in ("seed", "mask", "start", "epochs", "pattern", "reference")}
        rule = fields.get("updates")
        updates = RULES[rule[0]](**rule[1]) if rule else None
        plain["learning_rate"] = fields.get("learning_rate")
        return cls(weights=weights, perturbed_by=_spec(fields["perturbed_by"]), updates=updates, **plain)


def dense_source(seed: int, drawn_by: CheckSpec = NO_CHECK) -> TicketSource:
    """Returns the unpruned network of a seed, at the initialisation that these checks draw."""
    return TicketSource(seed, Weights(seed, drawn_by=drawn_by))


def _parts(spec: CheckSpec) -> list[list[Any]]:
    return [[name, [list(option) for option in options]] for name, options in spec.parts]


def _spec(parts: list[list[Any]]) -> CheckSpec:
    return CheckSpec(tuple((name, tuple((key, value) for key, value in options)) for name, options in parts))
