"""A training that starts or ends within an epoch is, batch for batch, that part of the whole training."""

import copy
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from sanity.data.dataset import Dataset
from sanity.recipes import Recipe
from sanity.training.batches import draw_epoch, train_indices
from sanity.training.callbacks import Callbacks
from sanity.training.compute import Compute
from sanity.training.epochs import Epochs, steps_per_epoch
from sanity.training.job import FIELDS, curve_table
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec, train
from tests.training.nets import digits, equal, half_mask, tiny_conv, tiny_mlp

STEPS = 7  # of an epoch: 101 examples in batches of 16
RECIPE = Recipe(epochs=3, batch_size=16, momentum=0.0, schedule="cosine", crop_padding=1, flip=True)


def fit(
    job: TrainingSpec, recipe: Recipe = RECIPE, data: Dataset | None = None, stop_after: int | None = None
) -> TrainingResult:
    train_data, test_data = digits()
    asked = iter(range(1, 10_000))
    return train(
        [job],
        data or train_data,
        test_data,
        recipe,
        Compute("cpu", "fp32", deterministic=True),
        Callbacks(stop=lambda: next(asked) == stop_after),
    )[0]


@given(start=st.integers(0, 40), length=st.integers(0, 40), steps=st.integers(1, 9))
def test_the_epochs_of_a_training_are_all_its_iterations_in_order(start: int, length: int, steps: int) -> None:
    epochs = Epochs(start, length, steps)
    spans = [(epochs.place(number), step) for number in range(epochs.count) for step in epochs.span(number)]
    assert spans == [divmod(iteration, steps) for iteration in range(start, start + length)]
    assert all(epochs.span(number) for number in range(epochs.count)), "an epoch without a step"
    before = 0
    for number in range(epochs.count):
        assert [epochs.iteration(number, step) for step in (0, 1)] == [before, before + 1]
        before += len(epochs.span(number))
    assert epochs.iteration(epochs.count, 0) == length


@given(examples=st.integers(1, 300), batch=st.integers(1, 50), drop=st.booleans(), holdout=st.sampled_from([0, 0.1]))
def test_the_steps_of_an_epoch_are_its_batches(examples: int, batch: int, drop: bool, holdout: float) -> None:
    recipe = Recipe(batch_size=batch, drop_last=drop, holdout=holdout)
    batches = train_indices(0, examples, recipe).split(batch)
    full = [part for part in batches if len(part) == batch or (len(part) and not drop)]
    assert steps_per_epoch(examples, recipe) == len(full)


@pytest.mark.parametrize("start", [1, 3, STEPS - 1, STEPS, STEPS + 4, 3 * STEPS - 1])
def test_started_from_a_snapshot_at_any_iteration_it_is_the_tail_of_the_whole_training(start: int) -> None:
    model = tiny_conv()
    whole = fit(TrainingSpec(model, half_mask(model), 5, snapshots=frozenset({start})))
    rewound = copy.deepcopy(model)
    rewound.load_state_dict(whole.snapshots[start])
    tail = fit(TrainingSpec(rewound, half_mask(model), 5, start))
    assert equal(tail.weights, whole.weights)
    of_tail, of_whole = tail.curve[1:], whole.curve[-len(tail.curve) :][1:]
    assert [{**row, "epoch": 0} for row in of_tail] == [{**row, "epoch": 0} for row in of_whole]
    assert [row["epoch"] for row in tail.curve] == list(range(1, 4 - start // STEPS))
    assert tail.curve[-1]["test_loss"] == whole.curve[-1]["test_loss"]


@pytest.mark.parametrize("length", [1, 5, STEPS, STEPS + 2])
def test_a_length_within_an_epoch_ends_there_with_a_last_row(length: int) -> None:
    model = tiny_mlp()
    whole = fit(TrainingSpec(model, None, 5, snapshots=frozenset({length})))
    part = fit(TrainingSpec(model, None, 5, length=length))
    assert equal(part.weights, whole.snapshots[length])
    assert [row["epoch"] for row in part.curve] == list(range(1, -(-length // STEPS) + 1))
    assert part.curve[: length // STEPS] == whole.curve[: length // STEPS]
    model.load_state_dict(part.weights)
    test = digits()[1]
    with torch.no_grad():
        expected = F.cross_entropy(model(test.normalise(test.pixels)), test.targets)
    assert part.curve[-1]["test_loss"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("start", "length"), [(0, 3), (2, 3), (5, 2), (5, 1)])
def test_the_row_of_a_part_of_an_epoch_is_over_the_examples_of_that_part(start: int, length: int) -> None:
    data, model = digits()[0], tiny_mlp()
    recipe = Recipe(epochs=1, batch_size=16, lr=1e-12)
    (row,) = fit(TrainingSpec(model, None, 5, start, length), recipe).curve
    order = draw_epoch(5, 0, torch.arange(101), recipe).order[0, 16 * start : 16 * (start + length)]
    with torch.no_grad():
        logits = model(data.normalise(data.pixels[order]))
    assert row["train_loss"] == pytest.approx(F.cross_entropy(logits, data.targets[order]).item(), rel=1e-5)
    hits = (logits.argmax(1) == data.targets[order]).float().mean().item()
    assert row["train_accuracy"] == pytest.approx(100 * hits)


@pytest.mark.parametrize("stopped", [1, 2, 3, 4, 9, 10, 11, 12])
def test_interrupted_between_two_iterations_it_ends_as_if_never(tmp_path: Path, stopped: int) -> None:
    """12 iterations: four of an epoch, an epoch, one of the next."""
    model = tiny_conv()
    job = TrainingSpec(model, half_mask(model), 5, start=3, length=12, snapshots=frozenset({0, 3, 4, 7, 12}))
    whole = fit(job)
    assert whole.snapshots.keys() == job.snapshots
    in_folder = replace(job, directory=tmp_path)
    with pytest.raises(Interrupted):
        fit(in_folder, stop_after=stopped)
    resumed = fit(in_folder)
    assert resumed.resumed_from is not None
    assert equal(resumed.weights, whole.weights)
    assert resumed.snapshots.keys() == whole.snapshots.keys()
    assert all(equal(resumed.snapshots[k], whole.snapshots[k]) for k in whole.snapshots)
    assert curve_table(resumed.curve) == curve_table(whole.curve)
    assert curve_table(whole.curve).splitlines()[0] == ",".join(FIELDS)
    assert equal(fit(in_folder).weights, whole.weights), "the finished training, found again"


def test_a_checkpoint_is_continued_for_longer_only_from_an_end_between_epochs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for length, continues in ((STEPS, True), (STEPS + 2, False)):
        job = TrainingSpec(tiny_conv(), None, 5, length=length, directory=tmp_path / str(length))
        with pytest.raises(Interrupted):
            fit(job, stop_after=length)
        fit(job)
        whole = fit(replace(job, length=2 * STEPS))
        assert (whole.resumed_from is not None) == continues
        assert whole.curve == fit(replace(job, length=2 * STEPS, directory=None)).curve
    assert "another training" in caplog.text


def test_a_checkpoint_beyond_the_end_is_not_taken_for_the_end(tmp_path: Path) -> None:
    long = TrainingSpec(tiny_conv(), None, 5, directory=tmp_path)
    with pytest.raises(Interrupted):
        fit(long, stop_after=STEPS + 3)
    short = replace(long, length=STEPS)
    assert equal(fit(short).weights, fit(replace(short, directory=None)).weights)


def test_the_checkpoint_of_a_training_on_other_labels_is_not_continued(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = digits()[0]
    others = replace(data, targets=data.targets.flip(0))
    job = TrainingSpec(tiny_conv(), None, 5, directory=tmp_path)
    with pytest.raises(Interrupted):
        fit(job, stop_after=10)
    with caplog.at_level(logging.WARNING):
        result = fit(job, data=others)
    assert "another training" in caplog.text
    assert equal(result.weights, fit(replace(job, directory=None), data=others).weights)
