"""Holds what all cells of a run share: data, network, recipe and store."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from methods.base import Method
from sanity import masks, models
from sanity.config import RunConfig
from sanity.data.dataset import Dataset
from sanity.grid.cells import DENSE, NO_CHECK, Cell, CheckSpec
from sanity.masks.effective_density import why_unknown
from sanity.masks.files import formats
from sanity.masks.files.imports import load_weights, show_match, split_init
from sanity.masks.files.paths import fill_in, find, naming
from sanity.masks.ticket import Ticket, tied_names
from sanity.models.building import build_by_name
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.store.environment import Machine
from sanity.store.identity import differing, encoded
from sanity.store.store import Store
from sanity.training.compute import Compute
from sanity.training.concurrency import Concurrency, choose
from sanity.training.epochs import steps_per_epoch

T = TypeVar("T")
State = dict[str, Tensor]
MOMENTS, BEST_ROUNDS = "requested moments", "rounds that are scored at their best epoch"
"""The values of `Experiment.once` that depend on which cells are asked for."""
_MISSING = object()
_READY_FOR_EACH = 3
"""How many trainings wait in the queue for each place in a stack. Stacks hold trainings of the same kind; a grid of one
dense network and two tickets per seed needs three per place to fill its stacks."""
_CACHED = 4  # how many networks, and how many corrupted data sets, a run keeps in memory


@dataclass(frozen=True, eq=False)
class Experiment:
    """Holds what all cells of a run share: data, recipe, store and device.

    requested: the cells of the run, and those of other runs of the same request that share its dense networks.
    machine: the hardware. listings: see `sanity.grid.stored.listed`.
    """

    config: RunConfig
    train: Dataset
    test: Dataset
    recipe: Recipe
    store: Store
    device: torch.device
    precision: str
    machine: Machine
    requested: tuple[Cell, ...] = ()
    listings: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _values: dict[object, Any] = field(default_factory=dict, repr=False)

    def once(self, key: object, make: Callable[[], T]) -> T:
        """Returns the value of `make()`, called once for each `key` and then cached."""
        value: T = self._values.get(key, _MISSING)
        if value is _MISSING:
            value = self._values[key] = make()
        return value

    def asked_for(self, cells: Iterable[Cell]) -> "Experiment":
        """Returns the same experiment for other cells: these are the ones that share its dense networks."""
        values = {key: value for key, value in self._values.items() if key not in (MOMENTS, BEST_ROUNDS)}
        other = replace(self, requested=tuple(cells), _values=values)
        cached = vars(self).keys() - {spec.name for spec in fields(self)}
        other.__dict__.update({name: vars(self)[name] for name in cached})
        return other

    @cached_property
    def root(self) -> str:
        """The results directory."""
        return str(self.store.root)

    # -- methods -------------------------------------------------------------------------------------------------

    def method(self, cell: Cell) -> Method:
        """Returns the method of a cell; moments stated as shares of the schedule become epochs of the recipe."""
        return self.once(("method", cell.method), lambda: cell.method.build().placed(self.recipe.epochs))

    def altered(self, cell: Cell) -> Method:
        """Returns the method of a cell after its check has altered it."""
        return self._of_any_ratio(cell).at(cell.ratio, cell.seed)

    def _of_any_ratio(self, cell: Cell) -> Method:
        return self.once(("altered", cell.method, cell.check), lambda: self._altered(cell))

    def _altered(self, cell: Cell) -> Method:
        return cell.check.build().alter(self.method(cell)).placed(self.recipe.epochs)

    def part(self, cell: Cell, *hooks: str) -> CheckSpec:
        """Returns the check of only the parts of a cell's check that override any of these hooks."""
        return self.once(("part", cell.check, hooks), lambda: cell.check.part_with(*hooks))

    def needs_end(self, check: CheckSpec) -> bool:
        """Whether any part of a check needs the weights at the end of dense training."""
        return self.once(("needs end", check), check.needs_end)

    # -- data ----------------------------------------------------------------------------------------------------

    @cached_property
    def recipe_for_loop(self) -> Recipe:
        """The recipe for the training loop. `train` and `test` already carry the recipe's normalisation statistics,
        so that a corrupted copy is normalised with the statistics of the clean data."""
        return replace(self.recipe, normalise="dataset")

    def inputs_of(self, data: CheckSpec) -> str:
        """Returns the digest of what the checks `data` read beside the training set; empty if they read nothing."""
        return self.once(("inputs", data), lambda: "" if data.is_control else data.build().inputs(self.train))

    def seen(self, data: CheckSpec, seed: int) -> Dataset:
        """Returns the training set after the checks `data` have corrupted it, on the run's device."""
        return self.train if data.is_control else self._corrupted(data, seed)

    @cached_property
    def _corrupted(self) -> Callable[[CheckSpec, int], Dataset]:
        """Caches corrupted training sets: the cells of a seed alternate between the checks of the grid."""
        return lru_cache(maxsize=_CACHED)(lambda data, seed: data.build().corrupt(self.train, generator(seed, "check")))

    def steps(self, data: CheckSpec, seed: int) -> int:
        """Returns the number of iterations in an epoch on the training set after the checks `data`."""

        def count() -> int:
            return steps_per_epoch(len(self.seen(data, seed)), self.recipe)

        return self.once(("steps", data, 0 if data.is_control else seed), count)

    # -- network -------------------------------------------------------------------------------------------------

    def build(self, source: torch.Generator, again: bool = False) -> nn.Module:
        """Builds the network on the CPU with weights drawn from `source`; `again`: as `reinit` draws them."""
        return build_by_name(
            self.config.model,
            self.train.input_shape,
            self.train.classes,
            self.config.section("model"),
            init=split_init(self.config.init)[0] or None,
            generator=source,
            again=again,
        )

    def initial(self, seed: int) -> nn.Module:
        """Returns the network of a seed at initialisation. It is shared: callers must not change it."""
        return self._initials(seed)

    @cached_property
    def _initials(self) -> Callable[[int], nn.Module]:
        return lru_cache(maxsize=_CACHED)(self._initial)

    def _initial(self, seed: int) -> nn.Module:
        net = self.build(generator(seed, "init"))
        if file := self._init_file(seed):
            with naming("init=file:", file):
                match = load_weights(net, file)
            show_match(f"init=file:{file}", match)
        return net

    @cached_property
    def _init_path(self) -> str:
        return split_init(self.config.init)[1]

    def _init_file(self, seed: int) -> Path | None:
        """Returns the file with the initial weights of a seed; None unless `init=file:` names one."""
        path = self._init_path
        return find(fill_in(path, "init=file:", seed=seed), "init=file:", seed=seed) if path else None

    def inputs(self, cell: Cell) -> dict[str, str]:
        """Returns the digests of the files that hold a cell's mask and initial weights; empty if there are none."""
        has_inputs = cell.method.name != DENSE and type(self._of_any_ratio(cell)).inputs is not Method.inputs
        mask = self.altered(cell).inputs() if has_inputs else ""
        file = self._init_file(cell.seed)
        return {**({"mask_file": mask} if mask else {}), **({"init_file": formats.digest(file)} if file else {})}

    @cached_property
    def paths_unknown(self) -> str:
        """Why the effective density of the network's masks cannot be measured; empty where it can."""
        return why_unknown(self.initial(self.config.first_seeds[0]), self.train.input_shape)

    def state(self, seed: int, drawn_by: CheckSpec = NO_CHECK) -> State:
        """Returns the weights and buffers of a seed at the initialisation that these checks draw."""
        usual = {name: value.detach() for name, value in self.initial(seed).state_dict().items()}
        if drawn_by.is_control:
            return usual
        return dict(drawn_by.build().initialise(usual, self.fresh, generator(seed, "search init")))

    def fresh(self, source: torch.Generator) -> State:
        """Draws new weights and buffers from the initialisation's distribution."""
        return {name: value.detach() for name, value in self.build(source, again=True).state_dict().items()}

    def loaded(self, state: Mapping[str, Tensor]) -> nn.Module:
        """Builds the network on the CPU and loads these weights and buffers."""
        net = copy.deepcopy(self.initial(self.config.first_seeds[0]))
        net.load_state_dict(dict(state))
        return net

    def dense_digest(self, seed: int, drawn_by: CheckSpec = NO_CHECK) -> str:
        """Returns the digest of the unpruned network of a seed at the initialisation that these checks draw."""

        def digest() -> str:
            net = self.initial(seed)
            return Ticket(self.state(seed, drawn_by), masks.dense(net), tied=tied_names(net)).digest()

        return self.once(("digest", seed, drawn_by), digest)

    # -- trainings at a time ------------------------------------------------------------------------------------------

    @property
    def compute(self) -> Compute:
        """On what the run trains, and in which arithmetic."""
        per_device = self.config.runs_per_device
        at_a_time = None if per_device == "auto" else per_device
        return Compute(self.device, self.precision, self.config.deterministic, at_a_time)

    @cached_property
    def _concurrency(self) -> Concurrency:
        return choose(self.initial(self.config.first_seeds[0]), self.train, self.recipe, self.compute)

    @property
    def side_by_side(self) -> int:
        """How many trainings may run at once on the device."""
        return self._concurrency.trainings

    @property
    def ahead(self) -> int:
        """How many trainings may wait in the queue, so that those of one kind can be batched."""
        return self.side_by_side * (_READY_FOR_EACH if self._concurrency.stack > 1 else 1)

    # -- what determines results ---------------------------------------------------------------------------------

    @cached_property
    def setting(self) -> dict[str, Any]:
        """The settings that determine all results of a run. `inputs` adds the digest of a file of initial weights."""
        drawn = split_init(self.config.init)[0]
        return {
            "data_digest": self.train.digest,
            "model": self.config.model,
            "model_options": {name: str(value) for name, value in self.config.section("model").items()},
            "init": drawn,
            "code": models.fingerprint(self.config.model, drawn),
        }

    @cached_property
    def encoded_network(self) -> dict[str, str]:
        """`setting` as JSON."""
        return encoded(self.setting)

    @cached_property
    def encoded_setting(self) -> dict[str, str]:
        """The settings that determine every record of the run, as JSON."""
        fields = {
            "test": self.test.digest,
            "recipe": differing(self.recipe),
            "precision": self.precision,
            "device": self.device.type,
            "deterministic": self.config.deterministic,
        }
        return {**self.encoded_network, **encoded(fields)}
