"""Turns a configuration into an experiment and its cells, and reports every mistake before anything is trained.

parse -> load -> check
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from methods.base import Method
from methods.moments import needs_dense
from sanity import models, recipes
from sanity.config import RunConfig
from sanity.config.options import names
from sanity.data import REGISTRY
from sanity.data.dataset import Dataset, load_by_name, stand_in
from sanity.data.examples import View
from sanity.data.source import MissingDataError
from sanity.errors import UserError
from sanity.grid.cells import DENSE, SEARCHING, Cell, cells
from sanity.grid.controls import feasible, with_controls
from sanity.grid.experiment import Experiment
from sanity.grid.moments import check_against
from sanity.grid.predictions import predicted
from sanity.grid.references import references
from sanity.grid.scoring_batches import scoring_batches
from sanity.grid.ticket_search import examples_for_scoring
from sanity.models.check import check_draws, check_model
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.store.environment import machine
from sanity.store.store import Store
from sanity.training.batches import normalisation
from sanity.training.loop import check_batches
from sanity.training.lr_schedule import rate
from sanity.training.precision import resolve, resolve_device


def prepare(config: RunConfig, together: Sequence[RunConfig] = ()) -> tuple[Experiment, list[Cell]]:
    """Prepares the experiment and the cells that `config` asks for.

    together: all runs of the request; a dense network that several of them start from is trained once.
    Raises `UserError` for every mistake that can be noticed before training.
    """
    own_cells = cells(config)
    sharing = [run for run in together if run is not config and share_networks(run, config)]
    requested = list(dict.fromkeys([*own_cells, *(cell for run in sharing for cell in cells(run))]))
    experiment = load(config, (*requested, *references(requested)))
    if config.controls:
        own_cells = feasible(with_controls(own_cells, config.ratio), own_cells, experiment)
    _check(experiment, [*own_cells, *references(own_cells)])
    return experiment, own_cells


def share_networks(first: RunConfig, second: RunConfig) -> bool:
    """Whether the settings of two runs agree so that they share their dense networks."""
    return all(getattr(first, name) == getattr(second, name) for name in ("dataset", "model", "recipe")) and (
        first.overrides() == second.overrides()
    )


def load(config: RunConfig, requested: tuple[Cell, ...] = ()) -> Experiment:
    """Loads what the cells of a run share, and checks no cell. Raises `UserError`."""
    recipe = recipes.get(config.recipe, config.model, config.dataset, **config.section("recipe"))
    device = resolve_device(config.device)
    train, test = _splits(config)
    for split, part in (("training", train), ("test", test)):
        if not len(part):
            raise UserError(f"dataset={config.dataset}: its {split} split holds no examples")
    mean, std = (train.mean, train.std) if train.is_stand_in else normalisation(train, recipe.normalise)
    train, test = replace(train, mean=mean, std=std), replace(test, mean=mean, std=std)
    return Experiment(
        config=config,
        train=train.to(device),
        test=test.to(device),
        recipe=recipe,
        store=Store(config.results_dir),
        device=device,
        precision=resolve(config.precision, device),
        machine=machine(device),
        requested=requested,
    )


def _splits(config: RunConfig) -> tuple[Dataset, Dataset]:
    """Reads the data; a plan fetches none, and counts with a stand-in for published data that are not there."""
    options = config.section("dataset")
    if not config.dry_run:
        return load_by_name(config.dataset, options, config.data_dir)
    if "download" in names(REGISTRY.load(config.dataset)):
        options["download"] = False
    try:
        return load_by_name(config.dataset, options, config.data_dir)
    except MissingDataError:
        if (splits := stand_in(config.dataset, options)) is None:
            raise
        return splits


def _check(experiment: Experiment, cells: Sequence[Cell]) -> None:
    """Tries out what the cells need, so that a mistake shows before a grid has run for hours."""
    recipe, train = experiment.recipe, experiment.train
    rehearsed = experiment.build(generator(cells[0].seed, "init")).to(experiment.device)
    check_model(experiment.config.model, rehearsed, train.input_shape, train.classes)
    net = experiment.initial(cells[0].seed)
    if models.fingerprint(experiment.config.model):  # ours draw anew
        check_draws(experiment.config.model, net, experiment.build(generator(cells[0].seed, "check"), again=True))
    check_batches(net, train, recipe)
    _check_crop(train, recipe)
    _check_learning_rates(recipe)
    steps = experiment.steps(cells[0].check, cells[0].seed)
    searches = {
        (cell.method, cell.check, cell.ratio, *experiment.inputs(cell).values()): cell
        for cell in cells
        if cell.method.name != DENSE
    }
    for cell in searches.values():
        method = experiment.altered(cell)
        if not cell.check.data_part().is_control and (reason := method.why_no_data_checks()):
            raise UserError(f"{cell.method.label} {cell.check.data_label()}: {reason}")
        cell.check.build().check_feasible(method, experiment.initial(cell.seed))
        predicted(cell, experiment)  # raises for a check of one's own that cannot say it
        check_against(method, cell.method.label, recipe, steps)
        if experiment.config.match == "live":
            _check_match(method, cell, experiment)
        method.check_feasible(experiment.initial(cell.seed), cell.ratio)
    _check_examples(experiment, cells)
    _check_dense_trainings(experiment, cells)


def _check_match(method: Method, cell: Cell, experiment: Experiment) -> None:
    """Raises `UserError` where a ticket's live weights cannot be counted, or its number of weights not be chosen."""
    label = cell.method.label
    if cell.check.freezes():
        raise UserError(f"match=live: under {cell.check.label} pruned weights conduct too, so every path is live; "
                        "use match=counts")  # fmt: skip
    if why := experiment.paths_unknown:
        raise UserError(f"match=live: paths in model={experiment.config.model} are not known ({why}); use match=counts")
    if method.mask_updates(0.5) is not None:
        raise UserError(f"match=live: {label} changes its mask while it trains; use match=counts")
    if method.reads_files:
        raise UserError(f"match=live: {label} reads its masks, which cannot be pruned anew; use match=counts")
    if method.watch is not None:
        raise UserError(f"match=live: {label} watches masks that are counted by weights; use match=counts")
    if method.pattern != "unstructured":
        raise UserError(f"match=live: {label} with pattern={method.pattern} keeps a fixed number; use match=counts")


def _check_crop(train: Dataset, recipe: Recipe) -> None:
    height, width = train.input_shape[1:]
    if recipe.crop_padding >= min(height, width):
        raise UserError(
            f"recipe.crop_padding={recipe.crop_padding}: must be below {min(height, width)}, as the images are "
            f"{width}x{height}; else a crop may hold nothing of its image"
        )


def _check_learning_rates(recipe: Recipe) -> None:
    if recipe.schedule == "plateau":
        return
    try:
        for epoch in range(recipe.epochs):
            rate(recipe, float(epoch), [])
    except (ArithmeticError, ValueError) as error:
        raise UserError(f"recipe: its schedule {recipe.schedule} gives no learning rate ({error})") from None


def _check_examples(experiment: Experiment, cells: Sequence[Cell]) -> None:
    """Draws each method's scoring examples for every seed, from the data after its data check and the hold-out."""
    enough: dict[str, list[tuple[int, int]]] = {}
    fetching = _postponing(experiment)
    for cell in _drawing(experiment, cells):
        method = experiment.altered(cell)
        examples = examples_for_scoring(cell, method, experiment if cell.check.fingerprint() else fetching)
        counts = torch.bincount(examples.targets.cpu(), minlength=examples.classes)
        least, total = int(counts.min()), len(examples)
        passed = enough.setdefault(str(method.key()), [])
        if any(least >= fewest and total >= fewer for fewest, fewer in passed):
            continue
        try:
            batches = scoring_batches(method, examples, experiment.recipe_for_loop, generator(cell.seed, "batches"))
        except UserError as error:
            origin = "" if cell.check.data_part().is_control else f" (of what {cell.check.data_label()} leaves)"
            raise UserError(f"{cell.title}: {error}{origin}") from None
        if not passed:
            method.rehearse(experiment.initial(cell.seed), batches)
        passed.append((least, total))


def _postponing(experiment: Experiment) -> Experiment:
    """Returns an experiment whose own checks change pixels only when they are fetched: labels and counts cost little.

    A user's check may ask for all pixels at once, and gets them from `experiment` alone.
    """
    return replace(experiment, train=replace(experiment.train, examples=View(experiment.train.examples)))


def _check_dense_trainings(experiment: Experiment, cells: Sequence[Cell]) -> None:
    """Raises `UserError` where what a data check leaves of the training set is too little to train a network on it."""
    training = {
        (seen, cell.seed): cell
        for cell in cells
        if cell.method.name != DENSE and needs_dense(experiment.altered(cell))
        if not (seen := experiment.part(cell, "corrupt")).is_control
    }
    fetching = _postponing(experiment)
    for (seen, seed), cell in training.items():
        left = (experiment if seen.fingerprint() else fetching).seen(seen, seed)
        try:
            check_batches(experiment.initial(seed), left, experiment.recipe)
        except UserError as error:
            raise UserError(f"{cell.title}: {error} (of what {seen.label} leaves)") from None


def _drawing(experiment: Experiment, cells: Sequence[Cell]) -> list[Cell]:
    """Returns one cell for each distinct draw of scoring examples."""
    drawing: dict[object, Cell] = {}
    for cell in cells:
        if cell.method.name != DENSE:
            seed = cell.seed if experiment.altered(cell).needs_data else None
            drawing.setdefault((cell.method, experiment.part(cell, *SEARCHING), seed), cell)
    return list(drawing.values())
