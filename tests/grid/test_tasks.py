"""The way of the data: what is shared, what a check leaves paired, what each kind of ticket is retrained from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.base import Batches, Method
from sanity.config import from_mapping
from sanity.data.dataset import Dataset
from sanity.grid import stored
from sanity.grid.cells import Cell
from sanity.grid.experiment import Experiment
from sanity.grid.plan import plan
from sanity.grid.progress import Reporter
from sanity.grid.runner import Runner
from sanity.grid.scoring_batches import scoring_batches
from sanity.grid.task import TO_THE_END, DenseTraining, MaskSearch, Training
from sanity.grid.tasks import tasks
from sanity.grid.ticket_source import TicketSource
from sanity.grid.training_batch import epochs
from sanity.masks.ticket import Ticket
from sanity.recipes import Recipe
from sanity.run import prepare, run
from sanity.training.batches import train_indices
from sanity.training.epochs import Epochs
from tests.grid.conftest import EPOCHS, Keys


def trained(cell: Cell, experiment: Experiment) -> list[Training]:
    """The trainings that one cell needs, all done."""
    Runner(experiment, Reporter(0, None, None), lambda: False).run([cell])
    needed, last = tasks(cell, experiment)
    return [task for task in [*needed, last] if not isinstance(task, MaskSearch)]


def final(keys: Keys, **more: Any) -> tuple[Experiment, list[Training]]:
    """The trainings of the only cell that these keys ask for, beside its control."""
    experiment, cells = prepare(from_mapping({**keys, "checks": "none", **more}))
    (cell,) = cells
    return experiment, trained(cell, experiment)


def part(training: Training, experiment: Experiment) -> Epochs:
    moments = training.moments if isinstance(training, DenseTraining) else TO_THE_END
    return epochs(training.source, training.data, moments, experiment)


def key(training: Training, experiment: Experiment) -> str:
    return training.key if isinstance(training, DenseTraining) else training.key_in(experiment)


def weights_after(epochs: int, training: Training, experiment: Experiment) -> Any:
    """The weights of a training after so many epochs; those of its end after all."""
    at = None if epochs == EPOCHS else epochs * experiment.steps(training.data, training.seed)
    return stored.weights(experiment, key(training, experiment), at)


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(one[name], other[name]) for name in other)


def masked(weights: Any, ticket: Ticket) -> dict[str, Tensor]:
    return replace(ticket, weights=weights).start()


@pytest.mark.parametrize(
    ("options", "start", "epochs", "source"),
    [
        ({"rewind": "weights", "rewind_epoch": 0}, 0, EPOCHS, "init"),
        ({"rewind": "weights", "rewind_epoch": 1}, 1, EPOCHS - 1, 1),
        ({"rewind": "weights", "rewind_epoch": "25%"}, 1, EPOCHS - 1, 1),
        ({"rewind": "learning_rate"}, 0, EPOCHS, EPOCHS),
        ({"rewind": "learning_rate", "rewind_epoch": 3}, 3, EPOCHS - 3, EPOCHS),
        ({"rewind": "learning_rate", "rewind_epoch": 3, "retrain_epochs": 6}, 3, 6, EPOCHS),
        ({"rewind": "fine_tune"}, EPOCHS, EPOCHS, EPOCHS),
        ({"rewind": "fine_tune", "retrain_epochs": 2}, EPOCHS, 2, EPOCHS),
        ({"rewind": "fine_tune", "retrain_lr": 0.03}, EPOCHS, EPOCHS, EPOCHS),
        ({"rewind": "init", "scored_at": 2}, 0, EPOCHS, "init"),
        ({"rewind": "learning_rate", "rewind_epoch": 1, "scored_at": 2}, 1, EPOCHS - 1, 2),
    ],
)
def test_each_rewinding_retrains_from_where_its_paper_says(
    keys: Keys, options: Keys, start: int, epochs: int, source: int | str
) -> None:
    named = {f"partially_trained.{name}": value for name, value in options.items()}
    experiment, (dense, retrained) = final(
        keys, methods="partially_trained", **named, **{"recipe.schedule": "constant"}
    )
    ticket, steps = retrained.source.load(experiment), experiment.steps(retrained.data, 0)
    assert part(retrained, experiment) == Epochs(start * steps, epochs * steps, steps)
    assert ticket.learning_rate == options.get("retrain_lr")
    assert TicketSource.from_dict(retrained.source.as_dict()) == retrained.source
    weights = experiment.state(0) if source == "init" else weights_after(int(source), dense, experiment)
    assert same(ticket.start(), masked(weights, ticket))
    scored = weights_after(options.get("scored_at", EPOCHS), dense, experiment)
    assert smallest_kept(scored, ticket) >= largest_pruned(scored, ticket)


def smallest_kept(weights: Any, ticket: Ticket) -> float:
    return min(float(weights[name][mask].abs().min()) for name, mask in ticket.mask.items())


def largest_pruned(weights: Any, ticket: Ticket) -> float:
    return max(float(weights[name][~mask].abs().max()) for name, mask in ticket.mask.items())


def test_a_network_scored_early_is_not_trained_to_the_end(keys: Keys) -> None:
    experiment, (dense, _) = final(keys, methods="magnitude", **{"magnitude.scored_at": 2})
    assert part(dense, experiment).count == 2
    assert experiment.store.record(key(dense, experiment)) is None


def test_a_share_of_the_schedule_is_the_same_training_as_its_epoch(keys: Keys) -> None:
    moments = ((2, 1), ("50%", "25%"))
    options = [{"rewind": "weights", "scored_at": scored, "rewind_epoch": back} for scored, back in moments]
    named = [{f"magnitude.{name}": value for name, value in one.items()} for one in options]
    found = [final(keys, methods="magnitude", **one) for one in named]
    by_epoch, by_share = ([key(training, experiment) for training in trainings] for experiment, trainings in found)
    assert by_epoch == by_share


def test_iterative_pruning_trains_prunes_and_rewinds_each_round(keys: Keys) -> None:
    options = {"rewind": "weights", "rewind_epoch": 1, "removed_per_round": 0.2}
    named = {f"partially_trained.{name}": value for name, value in options.items()}
    experiment, trainings = final(keys, methods="partially_trained", ratio=1 - 0.8**3, **named)
    assert len(trainings) == 4
    early = weights_after(1, trainings[0], experiment)
    tickets = [training.source.load(experiment) for training in trainings]
    masks = [ticket.mask for ticket in tickets]
    for number, (ticket, mask) in enumerate(zip(tickets, masks, strict=True)):
        size = sum(layer.numel() for layer in mask.values())
        assert sum(int(layer.sum()) for layer in mask.values()) == round(0.8**number * size)
        if number:
            assert same(ticket.start(), masked(early, ticket))
            assert not any((mask[name] & ~masks[number - 1][name]).any() for name in mask)


def tickets(keys: Keys, methods: str, checks: Sequence[str]) -> dict[str, tuple[Experiment, list[Training]]]:
    experiment, cells = prepare(from_mapping({**keys, "methods": methods, "checks": list(checks)}))
    return {cell.check.label: (experiment, trained(cell, experiment)) for cell in cells}


def test_checks_leave_everything_else_paired(keys: Keys) -> None:
    found = tickets(keys, "snip", ["random_labels", "layerwise_rearrange", "layerwise_shuffle", "reinit", "invert"])
    made = {check: trainings[-1].source.load(experiment) for check, (experiment, trainings) in found.items()}
    control = made["none"]
    assert len({trainings[-1].seed for _, trainings in found.values()}) == 1
    for check in ("random_labels", "layerwise_rearrange", "invert"):
        assert same(made[check].weights, control.weights)
        assert not same(made[check].mask, control.mask)
    for check in ("layerwise_shuffle", "reinit"):
        assert same(made[check].mask, control.mask)
        assert not same(made[check].start(), control.start())


def test_a_composed_check_does_what_its_parts_do_alone(keys: Keys) -> None:
    found = tickets(keys, "snip", ["layerwise_rearrange", "reinit", "layerwise_rearrange+reinit"])
    made = {check: trainings[-1].source.load(experiment) for check, (experiment, trainings) in found.items()}
    both = made["layerwise_rearrange+reinit"]
    assert same(both.mask, made["layerwise_rearrange"].mask)
    assert same(both.weights, made["reinit"].weights)


@pytest.mark.parametrize(
    ("method", "corrupted"),
    [("snip", [False]), ("partially_trained", [True, False, False])],  # of the search, of the control's, of the ticket
)
def test_only_the_search_sees_corrupted_data(keys: Keys, method: str, corrupted: list[bool]) -> None:
    experiment, trainings = tickets(keys, method, ["random_labels+random_pixels"])["random_labels+random_pixels"]
    assert [not training.data.is_control for training in trainings] == corrupted
    if corrupted[0]:
        seen = experiment.seen(trainings[0].data, trainings[0].seed)
        assert not torch.equal(seen.targets, experiment.train.targets)
        assert not torch.equal(seen.pixels, experiment.train.pixels)


def test_corrupted_images_are_shown_on_the_scale_of_the_clean_ones(keys: Keys) -> None:
    experiment, cells = prepare(from_mapping({**keys, "checks": "random_pixels", "recipe.normalise": "per_image_std"}))
    clean, seen = experiment.train, experiment.seen(cells[1].check, 0)
    assert not torch.equal(seen.pixels, clean.pixels)
    assert (seen.mean, seen.std) == (clean.mean, clean.std)
    assert experiment.recipe_for_loop.normalise == "dataset"


def test_what_is_held_out_is_not_scored_on(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Dataset] = []

    def noted(method: Method, dataset: Dataset, recipe: Recipe, source: torch.Generator) -> Batches:
        seen.append(dataset)
        return scoring_batches(method, dataset, recipe, source)

    monkeypatch.setattr("sanity.grid.ticket_search.scoring_batches", noted)
    asked = {**keys, "methods": "snip", "checks": "none", "recipe.holdout": 0.1}
    run(asked)
    experiment, _ = prepare(from_mapping(asked))
    (shown,) = seen
    trained_on = experiment.train.subset(train_indices(0, 200, experiment.recipe))
    assert len(shown) == 180
    assert torch.equal(shown.pixels, trained_on.pixels)


def test_the_plan_knows_how_long_each_training_is(keys: Keys) -> None:
    options = {"rewind": "weights", "rewind_epoch": 3}
    named = {f"partially_trained.{name}": value for name, value in options.items()}
    experiment, cells = prepare(from_mapping({**keys, "methods": "partially_trained", "checks": "none", **named}))
    assert plan(cells, experiment).epochs == EPOCHS + 1
    run({**keys, "methods": "partially_trained", "checks": "none", **named})
    assert plan(cells, experiment).epochs == 0


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 1},
        {"ratio": 0.8},
        {"recipe.epochs": 3},
        {"recipe.lr": 0.05},
        {"init": "standard_normal"},
        {"methods": "snip"},
        {"dataset.limit": 100},
        {"random.allocation": "uniform"},
    ],
)
def test_what_determines_a_training_is_in_its_name(keys: Keys, change: Keys) -> None:
    experiment, (one,) = final(keys, methods="random")
    changed, (other,) = final({**keys, "methods": "random", **change})
    assert key(one, experiment) != key(other, changed)
