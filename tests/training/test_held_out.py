"""The loss on the training examples that a recipe holds out, and the accuracy in the epoch where it is smallest."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sanity.grid.training_batch import summary
from sanity.recipes import Recipe
from sanity.training.batches import held_out_indices, train_indices
from sanity.training.job import FIELDS, HELD_OUT, TrainingResult, curve_table
from sanity.training.loop import TrainingSpec
from tests.training.nets import digits, equal, tiny_conv, tiny_mlp, trained

HOLDS = Recipe(epochs=2, batch_size=16, holdout=0.2, crop_padding=1, flip=True)


def fit(build: Any, recipe: Recipe, seeds: tuple[int, ...] = (0,)) -> list[TrainingResult]:
    jobs = [TrainingSpec(build(), None, seed=seed) for seed in seeds]
    return trained(jobs, recipe, deterministic=True)


@given(seed=st.integers(0, 99), examples=st.integers(1, 60), holdout=st.sampled_from([0.0, 0.1, 1 / 12, 0.5, 0.99]))
def test_what_is_held_out_and_what_is_trained_on_are_all_examples(seed: int, examples: int, holdout: float) -> None:
    recipe = Recipe(holdout=holdout)
    parts = held_out_indices(seed, examples, recipe), train_indices(seed, examples, recipe)
    assert len(parts[0]) == int(holdout * examples)
    assert torch.cat(parts).sort().values.tolist() == list(range(examples))


@pytest.mark.parametrize(("build", "seeds"), [(tiny_conv, (0,)), (tiny_mlp, (0, 1, 2))])
def test_the_curve_has_the_loss_on_images_as_they_are_of_each_tickets_own_hold_out(
    build: Any, seeds: tuple[int, ...]
) -> None:
    data = digits()[0]
    for seed, result in zip(seeds, fit(build, HOLDS, seeds), strict=True):
        model: nn.Module = build()
        model.load_state_dict(result.weights)
        index = held_out_indices(seed, len(data), HOLDS)
        logits, targets = model.eval()(data.normalise(data.pixels[index])), data.targets[index]
        row = result.curve[-1]
        assert row["holdout_loss"] == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-4)
        assert row["holdout_accuracy"] == pytest.approx(100 * (logits.argmax(1) == targets).float().mean().item())
        assert curve_table(result.curve).splitlines()[0] == ",".join([*FIELDS, *HELD_OUT])


def test_without_a_hold_out_curves_and_records_are_as_before() -> None:
    (result,) = fit(tiny_mlp, Recipe(epochs=2, batch_size=16))
    assert all(tuple(row) == FIELDS for row in result.curve)
    assert not any(name.startswith("early_stop") for name in summary(result))


def result_of(losses: list[float | None], accuracies: list[float]) -> TrainingResult:
    curve: list[dict[str, Any]] = [
        {"epoch": epoch, "test_accuracy": accuracy, **({} if loss is None else {"holdout_loss": loss})}
        for epoch, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), 1)
    ]
    return TrainingResult(curve, {}, {}, None, 0.0, "fp32", "cpu", None)


def test_it_stops_in_the_first_epoch_of_the_smallest_loss_and_mixes_nothing() -> None:
    facts = summary(result_of([0.9, 0.4, 0.4, 0.6], [70.0, 80.0, 90.0, 60.0]))
    assert (facts["early_stop_epoch"], facts["early_stop_test_accuracy"]) == (2, 80.0)
    assert (facts["best_test_accuracy"], facts["best_epoch"], facts["last_test_accuracy"]) == (90.0, 3, 60.0)


@pytest.mark.parametrize("losses", [[0.9, None, 0.5], [None, None, None]])
def test_where_a_loss_is_not_known_nothing_is_said(losses: list[float | None]) -> None:
    assert not any(name.startswith("early_stop") for name in summary(result_of(losses, [1.0, 2.0, 3.0])))


def test_measuring_it_changes_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from sanity.training.trainer import Trainer

    (measured,) = fit(tiny_conv, HOLDS)
    monkeypatch.setattr(Trainer, "test_held_out", lambda self: torch.full((2, 1), float("nan")))
    (without,) = fit(tiny_conv, HOLDS)
    assert equal(measured.weights, without.weights)
    assert all(tuple(row) == FIELDS for row in without.curve)
