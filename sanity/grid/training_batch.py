"""Trains a batch of tickets at once and stores the result of each."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sanity.config.moment import iterations
from sanity.console.trackers import TrackedRun
from sanity.grid import keys, stored
from sanity.grid.cells import CheckSpec
from sanity.grid.experiment import Experiment
from sanity.grid.mask_facts import of_changed_mask
from sanity.grid.moments import known_after, lengths
from sanity.grid.progress import Reporter
from sanity.grid.task import TO_THE_END, DenseTraining, Moments, Training
from sanity.grid.tasks import requested_moments
from sanity.grid.ticket_source import TicketSource
from sanity.grid.tracked import densities, tracked
from sanity.recipes import Recipe, describe
from sanity.store import environment, tensor_files
from sanity.training.callbacks import Callbacks
from sanity.training.epochs import Epochs
from sanity.training.job import HELD_OUT, TrainingResult, TrainingSpec, curve_table
from sanity.training.loop import train
from sanity.training.stacked_linear import is_sparse


@dataclass(frozen=True)
class PlannedTraining:
    """Describes a training that can start. It holds no weights, so that queued trainings take little memory.

    title: for progress. sparse: whether it trains in a stack that stores only the surviving weights.
    data: the checks that corrupt its data. moments: when to save its weights; None, the end, is among them unless it
        trains only up to the others.
    """

    kind: ClassVar[str] = "trainings"

    key: str
    title: str
    seed: int
    source: TicketSource
    data: CheckSpec
    moments: Moments
    sparse: bool

    @property
    def sees(self) -> tuple[object, ...]:
        """Identifies its training data; trainings that run at once must share them."""
        return self.data, 0 if self.data.is_control else self.seed


def planned(training: Training, title: str, experiment: Experiment) -> PlannedTraining:
    """Plans a training from its ticket. Raises `UserError` if the ticket's mask or weights are damaged."""
    seed, data = training.seed, training.data
    if isinstance(training, DenseTraining):
        moments = training.moments | requested_moments(experiment).get(training.key, frozenset())
        missing = training.missing(experiment, moments)
        return PlannedTraining(training.key, title, seed, training.source, data, missing, sparse=False)
    ticket = training.source.load(experiment)
    key, missing = training.key_in(experiment), training.missing(experiment) or TO_THE_END
    return PlannedTraining(key, title, seed, training.source, data, missing, is_sparse(ticket.trained_mask))


def epochs(source: TicketSource, data: CheckSpec, moments: Moments, experiment: Experiment) -> Epochs:
    """Returns the part of the schedule that a ticket trains up to these moments.

    A training that is not to reach the end stops at the end of an epoch, where a longer one can continue.
    """
    recipe, steps = experiment.recipe, experiment.steps(data, source.seed)
    start = iterations(source.start, recipe.epochs, steps)
    length = recipe.epochs * steps - start if source.epochs is None else source.epochs * steps
    ends = [end for end in lengths(moments) if end is not None]
    if len(ends) == len(moments):
        length = -(-max(ends) // steps) * steps
    return Epochs(start, length, steps)


def _kept(moments: Moments) -> frozenset[int]:
    return frozenset(at for at in moments if isinstance(at, int))


def train_batch(
    batch: Sequence[PlannedTraining], experiment: Experiment, reporter: Reporter, stop: Callable[[], bool]
) -> None:
    """Trains a batch at once and records each training when it ends. Raises `Interrupted` if `stop` returns true."""
    began = time.time()
    parts = [epochs(plan.source, plan.data, plan.moments, experiment) for plan in batch]
    jobs, tracking = [_job(plan, experiment) for plan in batch], reporter.tracking
    runs = [_tracked(plan, job, experiment) for plan, job in zip(batch, jobs, strict=True)] if tracking.on else []

    def progress(number: int, row: dict[str, Any]) -> None:
        reporter.epoch(batch[number].title, row, parts[number].count)
        if tracking.on:
            tracking.epoch(runs[number], row)

    def finished(number: int, result: TrainingResult) -> None:
        tracking.end(batch[number].key, densities(result.mask) if result.mask else None)
        _record(batch[number], result, experiment, began, len(batch))
        reporter.resumed(result.resumed_from or 0)
        last = result.curve[-1]["test_accuracy"] if result.curve and result.diverged_epoch is None else None
        accuracy = "none" if last is None else f"{last:.2f} %"
        reporter.finished(f"{batch[number].title}: last {accuracy}, {result.wall_s:.1f} s")

    recipe = experiment.recipe_for_loop
    run_loop(jobs, batch[0].data, batch[0].seed, recipe, experiment, Callbacks(progress, finished, stop))


def run_loop(
    jobs: Sequence[TrainingSpec],
    data: CheckSpec,
    seed: int,
    recipe: Recipe,
    experiment: Experiment,
    callbacks: Callbacks,
) -> list[TrainingResult]:
    """Runs the training loop as the run says, on its data after the checks `data` of this seed; see `train`."""
    seen, minutes = experiment.seen(data, seed), experiment.config.checkpoint_minutes
    return train(jobs, seen, experiment.test, recipe, experiment.compute, callbacks, checkpoint_minutes=minutes)


def _job(planned: PlannedTraining, experiment: Experiment) -> TrainingSpec:
    """Makes the specification of a training for the training loop."""
    ticket = planned.source.load(experiment)
    part = epochs(planned.source, planned.data, planned.moments, experiment)
    ends = lengths(planned.moments)
    goes_on = frozenset() if None in ends else frozenset([part.length])
    changes = ticket.updates is not None
    return TrainingSpec(
        model=experiment.loaded(ticket.start()),
        mask=ticket.trained_mask if changes or not all(layer.all() for layer in ticket.mask.values()) else None,
        seed=planned.seed,
        start=part.start,
        length=part.length,
        directory=stored.training_folder(experiment, planned.key),
        snapshots=_kept(planned.moments) | goes_on,
        best_of=frozenset(_best_of(planned.moments, part).values()),
        frozen=ticket.frozen,
        updates=ticket.updates,
        learning_rate=ticket.learning_rate,
    )


def _best_of(moments: Moments, part: Epochs) -> dict[str, int]:
    """Returns the moments that are the best epoch up to some iteration, and that iteration."""
    ends = {at: known_after(at) for at in moments if isinstance(at, str)}
    return {at: part.length if end is None else end for at, end in ends.items()}


def _tracked(planned: PlannedTraining, job: TrainingSpec, experiment: Experiment) -> TrackedRun:
    return tracked(planned.key, planned.title, planned.seed, job.mask, experiment)


def _record(
    planned: PlannedTraining, result: TrainingResult, experiment: Experiment, began: float, side_by_side: int
) -> None:
    folder, store = stored.training_folder(experiment, planned.key), experiment.store
    for at, weights in result.snapshots.items():
        store.save(folder / stored.moment_file(at), weights)
    part = epochs(planned.source, planned.data, planned.moments, experiment)
    for moment, iteration in _best_of(planned.moments, part).items():
        if (best := result.best.get(iteration)) is not None:
            facts = {"epoch": best.epoch, "test_accuracy": best.test_accuracy}
            store.save(folder / stored.moment_file(moment), best.weights, facts)
    went_to_end = None in planned.moments or result.diverged_epoch is not None
    if went_to_end:
        store.save(folder / "mask.safetensors", result.mask or planned.source.load(experiment).mask)
        store.save(folder / "weights.safetensors", result.weights)
        store.write_text(folder / "curve.csv", curve_table(result.curve))
        store.write(folder / "record.json", _about(planned, result, experiment, began, side_by_side))
    for snapshot in folder.glob("snapshot-*.safetensors"):
        snapshot.unlink(missing_ok=True)
    if experiment.store.record(planned.key) is not None:  # otherwise a longer training continues from the checkpoint
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)


def _about(
    planned: PlannedTraining, result: TrainingResult, experiment: Experiment, began: float, side_by_side: int
) -> dict[str, Any]:
    """Returns the record of a training."""
    part = epochs(planned.source, planned.data, TO_THE_END, experiment)
    digest = planned.source.digest(experiment)
    return {
        **keys.training_fields(digest, planned.seed, planned.data, experiment),
        "recipe_in_full": describe(experiment.recipe),
        **summary(result),
        **of_changed_mask(
            result.mask, planned.source.load(experiment).mask, result.mask_updates, planned.source.seed, experiment
        ),
        "epochs": _in_epochs(part.length, part.steps),
        "start_epoch": _in_epochs(part.start, part.steps),
        "deterministic": experiment.config.deterministic,
        "digest": tensor_files.digest(result.weights),
        "versions": environment.versions(),
        "commit": environment.commit(),
        "device": experiment.machine.device,
        "cores": experiment.machine.cores,
        "threads": experiment.machine.threads,
        "side_by_side": side_by_side,
        "stacked": result.stacked,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
    }


def _in_epochs(count: int, steps: int) -> int | float:
    return count / steps if count % steps else count // steps


def summary(result: TrainingResult) -> dict[str, Any]:
    """Summarises a training for its record: last and best test accuracy, curve, whether and when it diverged.

    A training that diverged has no last accuracy, since its weights are not finite. `early_stop_epoch` and
    `early_stop_test_accuracy`: of the epoch of the smallest loss on the examples that the recipe holds out, the first
    of equal ones; not there where none are held out, or where that loss is not known for every epoch.
    """
    stopped = min(result.curve, key=lambda row: row[HELD_OUT[0]]) if _knows_held_out(result.curve) else None
    best = max(result.curve, key=lambda row: row["test_accuracy"], default=None)
    last = result.curve[-1] if result.curve else None
    return {
        "status": "done" if result.diverged_epoch is None else "diverged",
        "diverged_epoch": result.diverged_epoch,
        "last_test_accuracy": last["test_accuracy"] if last and result.diverged_epoch is None else None,
        "best_test_accuracy": best["test_accuracy"] if best else None,
        "best_epoch": best["epoch"] if best else None,
        **({f"early_stop_{name}": stopped[name] for name in ("epoch", "test_accuracy")} if stopped else {}),
        "curve": result.curve,
        "wall_s": result.wall_s,
        "resumed_from": result.resumed_from,
        "precision": result.precision,
    }


def _knows_held_out(curve: Sequence[Mapping[str, Any]]) -> bool:
    return bool(curve) and all(HELD_OUT[0] in row for row in curve)
