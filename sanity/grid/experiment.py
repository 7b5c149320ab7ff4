"""What all cells of a run share: data, network, recipe, store; and what names a training."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from methods.base import Method
from sanity import masks, models
from sanity.config import RunConfig
from sanity.data.dataset import Dataset
from sanity.effective_density import paths_are_known
from sanity.errors import UserError
from sanity.grid import keys
from sanity.grid.cells import NO_CHECK, Cell, CheckSpec
from sanity.recipes import Recipe, describe
from sanity.seeds import generator
from sanity.store.identity import differing, identity
from sanity.store.records import Store
from sanity.tickets import Ticket
from sanity.training.epochs import steps_per_epoch
from sanity.training.job import TrainingSpec
from sanity.training.stacked_linear import is_sparse

T = TypeVar("T")
State = dict[str, Tensor]
_KEPT = 4  # networks, and corrupted data sets, that a run holds at once


@dataclass(frozen=True)
class Training:
    """A training that a cell waits for, named by what determines it.

    ticket: makes the ticket anew when the training starts, so that those that wait hold no weights.
    sparse: whether its weights are held as the kept ones alone where it is stacked with others that are.
    seen_by: the cell whose corrupted data it trains on; None for the clean data. seen_as: a name for those data.
    epochs, start_epoch: its length, and its place on the schedule. snapshots: epochs after which weights are kept.
    """

    key: str
    cell: Cell
    seen_as: str
    description: Mapping[str, Any]
    ticket: Callable[[], Ticket]
    seen_by: Cell | None
    start_epoch: int
    epochs: int
    sparse: bool
    snapshots: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Experiment:
    """What all cells of a run share.

    snapshots: the epochs of dense training that some method scores or rewinds to, of this run or of another of the same
        request whose dense networks are the same.
    side_by_side: how many trainings may run at once on the device. ahead: how many may wait for it, to be sorted.
    """

    config: RunConfig
    train: Dataset
    test: Dataset
    recipe: Recipe
    store: Store
    device: torch.device
    precision: str
    snapshots: frozenset[int]
    side_by_side: int = 1
    ahead: int = 1

    @cached_property
    def running(self) -> Recipe:
        """The recipe as the loop takes it: `train` and `test` already carry the statistics that it normalises with,
        so that a corrupted copy is shown on the scale of the clean data."""
        return replace(self.recipe, normalise="dataset")

    def once(self, key: object, make: Callable[[], T]) -> T:
        """What `make` makes, made once for each `key`."""
        if key not in self._made:
            self._made[key] = make()
        return cast(T, self._made[key])

    @cached_property
    def _made(self) -> dict[object, Any]:
        return {}

    def method(self, cell: Cell) -> Method:
        """The method of a cell, shares of the schedule in epochs of the recipe."""
        return self.once(("method", cell.method), lambda: cell.method.build().placed(self.recipe.epochs))

    def altered(self, cell: Cell) -> Method:
        """The method of a cell as its check alters it."""
        return self.once(("altered", cell.method, cell.check), lambda: self._altered(cell))

    def _altered(self, cell: Cell) -> Method:
        return cell.check.build().alter(self.method(cell)).placed(self.recipe.epochs)

    @cached_property
    def encoded_network(self) -> dict[str, str]:
        """`setting` as JSON."""
        return {name: keys.encode(value) for name, value in self.setting.items()}

    @cached_property
    def encoded_setting(self) -> dict[str, str]:
        """As JSON, what determines all records of the run alike."""
        fields = {
            "test": self.test.digest,
            "recipe": differing(self.recipe),
            "precision": self.precision,
            "device": self.device.type,
            "deterministic": self.config.deterministic,
        }
        return {**self.encoded_network, **{name: keys.encode(value) for name, value in fields.items()}}

    def dense_digest(self, seed: int) -> str:
        """The digest of the unpruned network of a seed at its initialisation."""
        return self.once(("digest", seed), lambda: Ticket(self.state(seed), masks.dense(self.initial(seed))).digest())

    @cached_property
    def setting(self) -> dict[str, Any]:
        """What every result of the run depends on."""
        return {
            "data_digest": self.train.digest,
            "model": self.config.model,
            "model_options": {name: str(value) for name, value in self.config.section("model").items()},
            "init": self.config.init,
            "code": models.fingerprint(self.config.model, self.config.init),
        }

    def build(self, source: torch.Generator) -> nn.Module:
        """The network with weights drawn from `source`, on the CPU."""
        return models.build(
            self.config.model,
            self.train.input_shape,
            self.train.classes,
            init=self.config.init or None,
            generator=source,
            **self.config.section("model"),
        )

    def initial(self, seed: int) -> nn.Module:
        """The network of a seed at its initialisation; not to be changed."""
        return self._initials(seed)

    @cached_property
    def _initials(self) -> Callable[[int], nn.Module]:
        return lru_cache(maxsize=_KEPT)(lambda seed: self.build(generator(seed, "init")))

    def seen(self, cell: Cell) -> Dataset:
        """The training set that the search of `cell` sees, on the run's device."""
        return self._corrupted(cell.check.data_part(), cell.seed)

    @cached_property
    def _corrupted(self) -> Callable[[CheckSpec, int], Dataset]:
        """The checks of a grid take turns, so that those of a seed are kept; not beyond the experiment."""
        return lru_cache(maxsize=_KEPT)(lambda check, seed: check.build().corrupt(self.train, generator(seed, "check")))

    @cached_property
    def paths_are_known(self) -> bool:
        """Whether the effective density of the network's masks can be measured."""
        return paths_are_known(self.initial(self.config.seeds[0]), self.train.input_shape)

    def state(self, seed: int) -> State:
        """The weights and buffers of a seed at its initialisation."""
        return {name: value.detach() for name, value in self.initial(seed).state_dict().items()}

    def fresh(self, source: torch.Generator) -> State:
        """Weights and buffers drawn anew from the same distribution."""
        return {name: value.detach() for name, value in self.build(source).state_dict().items()}

    def loaded(self, state: Mapping[str, Tensor]) -> nn.Module:
        """The network with these weights and buffers, on the CPU."""
        net = copy.deepcopy(self.initial(self.config.seeds[0]))
        net.load_state_dict(dict(state))
        return net

    def training(
        self, cell: Cell, ticket: Ticket, make: Callable[[], Ticket], on_seen: bool = False, dense: bool = False
    ) -> Training:
        """The training of `ticket`, made again by `make`; on the data of the search where `on_seen`, else clean."""
        data = cell.check.data_part() if on_seen else NO_CHECK
        check = data.data_label()
        what = {
            **self.setting,
            "ticket": ticket.digest(),
            "trained_on": [self.train.digest, self.test.digest, check, *filter(None, [data.fingerprint()])],
            "recipe": differing(self.recipe),
            "precision": self.precision,
            "seed": cell.seed,
            "device": self.device.type,
            "deterministic": self.config.deterministic,
        }
        epochs = self.recipe.epochs - ticket.start_epoch if ticket.epochs is None else ticket.epochs
        kept = frozenset(k for k in self.snapshots if k < epochs) if dense else frozenset()
        return Training(
            key=identity({**what, "snapshots": sorted(kept)}),
            cell=cell,
            seen_as=f"{check} seed {cell.seed}" if check else "",
            description={**what, "recipe_in_full": describe(self.recipe)},
            ticket=make,
            seen_by=cell if check else None,
            start_epoch=ticket.start_epoch,
            epochs=epochs,
            sparse=is_sparse(ticket.mask),
            snapshots=kept,
        )

    def folder(self, training: Training) -> Path:
        """Where the files of `training` are."""
        return self.store.folder("trainings", training.key)

    def is_done(self, training: Training) -> bool:
        """Whether its record is there with all that belongs to it, snapshots that this run needs included."""
        folder = self.folder(training)
        record = self.store.record(training.key, {name: training.description[name] for name in ("ticket", "seed")})
        if record is None:
            return False
        kept = [] if record["status"] == "diverged" else [f"epoch_{k}" for k in training.snapshots]
        return all(self.store.is_whole(folder / f"{name}.safetensors") for name in ["mask", "weights", *kept])

    def steps(self, training: Training) -> int:
        """How many iterations an epoch of `training` takes on its data, which a check may have made fewer."""
        data = self.train if training.seen_by is None else self.seen(training.seen_by)
        return steps_per_epoch(len(data), self.recipe)

    def job(self, training: Training) -> TrainingSpec:
        """What the training loop needs to know."""
        ticket = training.ticket()
        return TrainingSpec.from_epochs(
            model=self.loaded(ticket.start()),
            mask=None if all(layer.all() for layer in ticket.mask.values()) else ticket.mask,
            seed=training.cell.seed,
            steps=self.steps(training),
            start=ticket.start_epoch,
            length=training.epochs,
            directory=self.folder(training),
            snapshots=training.snapshots,
        )

    def weights(self, training: Training, after: int) -> State:
        """The weights of a finished training after so many epochs. Raises `UserError` where it diverged, so that there
        are none to score, and where they are damaged."""
        record = self.store.read(self.folder(training) / "record.json") or {}
        if record.get("status") == "diverged":
            raise UserError(f"the training that it starts from diverged in epoch {record['diverged_epoch']}")
        name = "weights" if after == training.epochs else f"epoch_{after}"
        path = self.folder(training) / f"{name}.safetensors"
        found = self.store.load(path)
        if found is None:
            path.unlink(missing_ok=True)  # else the next run would take the training for done
            raise UserError(f"{path}: damaged; start again to have it trained anew")
        return found
