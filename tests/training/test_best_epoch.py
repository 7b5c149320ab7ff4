"""The weights of the best epoch are those after the epoch of the highest test accuracy, the first of equal ones."""

from typing import Any

import pytest
import torch

from sanity.recipes import Recipe
from sanity.training.loop import TrainingSpec
from sanity.training.trainer import Trainer
from tests.training.nets import equal, tiny_mlp, trained

STEPS = 7
ACCURACIES = [30.0, 50.0, 40.0, 50.0, 60.0]


@pytest.fixture
def _accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say what `ACCURACIES` lists: an epoch's accuracy is known, whatever was learnt."""

    def told(self: Trainer) -> torch.Tensor:
        hits = ACCURACIES[self.epoch] / 100 * len(self.setting.test)
        return torch.tensor([[1.0], [hits]], dtype=torch.float64).expand(2, len(self.jobs))

    monkeypatch.setattr(Trainer, "test", told)


def fit(**fields: Any) -> Any:
    jobs = [TrainingSpec(tiny_mlp(), None, seed=seed, **fields) for seed in (1, 2)]
    return trained(jobs, Recipe(epochs=5, batch_size=16), deterministic=True)


@pytest.mark.usefixtures("_accuracies")
@pytest.mark.parametrize(("epochs", "best"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 5)])
def test_the_first_of_the_highest_is_kept(epochs: int, best: int) -> None:
    for result in fit(best_of=frozenset({epochs * STEPS}), snapshots=frozenset(e * STEPS for e in range(1, 6))):
        ((at, kept),) = result.best.items()
        assert (at, kept.epoch, kept.test_accuracy) == (epochs * STEPS, best, pytest.approx(ACCURACIES[best - 1]))
        assert equal(kept.weights, result.snapshots[best * STEPS])


@pytest.mark.usefixtures("_accuracies")
def test_several_limits_and_none() -> None:
    for result in fit(best_of=frozenset({STEPS, 3 * STEPS, 5 * STEPS})):
        assert {at: best.epoch for at, best in result.best.items()} == {STEPS: 1, 3 * STEPS: 2, 5 * STEPS: 5}
    assert all(not result.best for result in fit())
