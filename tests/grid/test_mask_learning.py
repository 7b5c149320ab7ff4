"""A search that trains scores is a training: it goes on where it stopped, stands beside others, and is recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sanity.config import from_mapping
from sanity.data.dataset import Dataset
from sanity.errors import Interrupted, UserError
from sanity.grid.experiment import Experiment
from sanity.grid.mask_learning import Learning
from sanity.grid.progress import Reporter
from sanity.grid.search_batch import planned_search, search_batch
from sanity.grid.task import MaskSearch
from sanity.grid.tasks import own_searches
from sanity.grid.ticket_search import find_mask
from sanity.grid.training_batch import run_loop
from sanity.masks import overlap
from sanity.recipes import Recipe
from sanity.run import prepare, run
from sanity.seeds import generator
from sanity.training.batches import draw_epoch

METHODS: dict[str, dict[str, Any]] = {
    "edge_popup": {"epochs": 4, "optimizer": "sgd"},
    "gem_miner": {"epochs": 6, "optimizer": "adam", "learning_rate": 0.01, "period": 2},
}
CHECKPOINT = "checkpoint.safetensors"


class After:
    """A stop that says so, or raises, when it was asked so often."""

    def __init__(self, times: int, error: type[BaseException] | None = None) -> None:
        self.left, self.error = times, error

    def __call__(self) -> bool:
        self.left -= 1
        if self.left <= 0 and self.error is not None:
            raise self.error
        return self.left <= 0


def asked(folder: Path, name: str, **keys: Any) -> dict[str, Any]:
    """The keys of a small run; `keys` come last."""
    options = {f"{name}.{key}": value for key, value in METHODS[name].items()}
    return {
        "model": "lenet_300_100", "recipe.epochs": 1, "recipe.batch_size": 50, "recipe.crop_padding": 1,
        "recipe.flip": True, "dataset.limit": 120, "dataset.test_limit": 50, "ratio": 0.8, "seeds": 0, "device": "cpu",
        "precision": "fp32", "checks": "none", "methods": name, "results_dir": str(folder), **options, **keys,
    }  # fmt: skip


def searches(folder: Path, name: str, **keys: Any) -> tuple[Experiment, list[MaskSearch]]:
    experiment, cells = prepare(from_mapping(asked(folder, name, **keys)))
    return experiment, [search for cell in cells for search in own_searches(cell, experiment)]


def search_all(experiment: Experiment, these: list[MaskSearch], stop: Any = lambda: False) -> dict[str, UserError]:
    plans = [planned_search(search, search.cell.title, experiment) for search in these]
    return search_batch(plans, experiment, Reporter(0, None, None), stop)


def found(folder: Path, name: str, stops: list[After], **keys: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The mask and the record of the search, after these interruptions."""
    experiment, (search,) = searches(folder, name, **keys)
    path = experiment.store.folder("tickets", search.key)
    for stop in stops:
        with pytest.raises(stop.error or Interrupted):
            search_all(experiment, [search], stop)
        assert (path / CHECKPOINT).exists()
    assert not search_all(experiment, [search])
    assert not (path / CHECKPOINT).exists()
    record = experiment.store.read(path / "ticket.json")
    assert record is not None
    return load_file(path / "mask.safetensors"), record


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("stops", "minutes"),
    [([After(1), After(5), After(1)], 999), ([After(11, RuntimeError)], 0)],
    ids=["stopped thrice", "killed"],
)
def test_it_goes_on_to_the_same_mask(tmp_path: Path, name: str, stops: list[After], minutes: float) -> None:
    again = [After(stop.left, stop.error) for stop in stops]
    mask, record = found(tmp_path / "on", name, again, checkpoint_minutes=minutes)
    whole, at_once = found(tmp_path / "whole", name, [])
    assert all(torch.equal(mask[layer], whole[layer]) for layer in whole)
    assert record["ties"] == at_once["ties"]
    assert record["passes"] == at_once["passes"]
    assert at_once["passes"]["backward"] == METHODS[name]["epochs"] * 120
    assert record["learnt"]["resumed_from"] is not None


class InOrder(list[tuple[torch.Tensor, torch.Tensor]]):
    """Batches of a training set in the order of the training loop, another in each epoch; its own loader."""

    def __init__(self, data: Dataset, recipe: Recipe) -> None:
        self.data, self.recipe, self.epoch = data, recipe, 0
        super().__init__(self._drawn())

    def _drawn(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        order = draw_epoch(0, self.epoch, torch.arange(len(self.data)), self.recipe).order[0]
        parts = order.split(self.recipe.batch_size)
        return [(self.data.normalise(self.data.fetch(part)), self.data.targets[part]) for part in parts]

    def loader(self) -> "InOrder":
        return self

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        drawn, self.epoch = self._drawn(), self.epoch + 1
        return iter(drawn)


@pytest.mark.parametrize("decay", ["cosine", "none"])
@pytest.mark.parametrize("name", METHODS)
def test_the_loop_finds_the_mask_of_the_methods_definition(tmp_path: Path, name: str, decay: str) -> None:
    plain = {f"{name}.{key}": value for key, value in (("augment", False), ("learning_rate_decay", decay))}
    experiment, (search,) = searches(tmp_path, name, **plain)
    learning = Learning(search, search.ratio, experiment)
    batches = InOrder(experiment.train, learning.recipe)
    defined = learning.method.mask(learning.net, batches, search.ratio, generator(0, "score"))
    assert batches.epoch == METHODS[name]["epochs"]
    assert not search_all(experiment, [search])
    mask = load_file(experiment.store.folder("tickets", search.key) / "mask.safetensors")
    assert overlap(mask, defined) > 0.999
    batches.epoch = 1
    assert overlap(mask, learning.method.mask(learning.net, batches, search.ratio, generator(0, "score"))) < 0.999


def test_searches_side_by_side_find_what_each_finds_alone(tmp_path: Path) -> None:
    several: dict[str, Any] = {"ratio": "0.5,0.8,0.9", "seeds": "0,1"}
    experiment, these = searches(tmp_path / "together", "gem_miner", **several)
    assert not search_all(experiment, these)
    alone, _ = searches(tmp_path / "alone", "gem_miner", **several)
    for search in these:
        folders = [where.store.folder("tickets", search.key) for where in (experiment, alone)]
        record = experiment.store.read(folders[0] / "ticket.json")
        assert record is not None
        assert record["learnt"]["stacked"] == 3
        find_mask(search, alone)
        masks = [load_file(folder / "mask.safetensors") for folder in folders]
        assert overlap(*masks) > 0.99


def test_a_run_records_the_search_and_trains_from_its_mask(tmp_path: Path) -> None:
    frame = run(asked(tmp_path, "edge_popup", checks="random_labels", ratio="0.5,0.8"))
    assert set(frame["status"]) == {"done"}
    assert frame["start_test_accuracy"].notna().all()
    curves = [path.read_text().splitlines() for path in tmp_path.glob("tickets/*/curve.csv")]
    assert [len(curve) for curve in curves] == [1 + METHODS["edge_popup"]["epochs"]] * 4


def test_a_search_that_diverges_is_told_and_stores_no_mask(tmp_path: Path) -> None:
    rate = {"edge_popup.learning_rate": 1e38, "edge_popup.optimizer": "sgd", "ratio": 0.5}
    experiment, (search,) = searches(tmp_path, "edge_popup", **rate)
    (error,) = search_all(experiment, [search]).values()
    assert "edge_popup: the loss is not finite in epoch" in str(error)
    assert not search.is_done(experiment)


def test_with_live_weights_matched_every_attempt_is_a_search(tmp_path: Path) -> None:
    frame = run(asked(tmp_path, "edge_popup", match="live", **{"edge_popup.epochs": 1}))
    assert set(frame["status"]) == {"done"}


@pytest.mark.parametrize("name", METHODS)
def test_with_live_weights_matched_it_goes_on_with_the_attempt_at_hand(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    steps = METHODS[name]["epochs"] * 3

    def counting(*arguments: Any) -> Any:
        results = run_loop(*arguments)
        trained.extend(len(result.curve) - (result.resumed_from or 0) for result in results)
        return results

    monkeypatch.setattr("sanity.grid.mask_learning.run_loop", counting)
    found: dict[str, tuple[dict[str, torch.Tensor], dict[str, Any]]] = {}
    for folder, stops in {"whole": [], "on": [After(steps + 5), After(2 * steps, KeyboardInterrupt)]}.items():
        experiment, (search,) = searches(tmp_path / folder, name, match="live", checkpoint_minutes=0)
        path = experiment.store.folder("tickets", search.key)
        for stop in stops:
            with pytest.raises(stop.error or Interrupted):
                find_mask(search, experiment, stop)
            assert list(path.glob("attempt-*"))
        trained.clear()
        find_mask(search, experiment)
        assert sorted(file.name for file in path.iterdir()) == ["mask.safetensors", "ticket.json"]
        record = experiment.store.read(path / "ticket.json")
        assert record is not None
        found[folder] = load_file(path / "mask.safetensors"), {**record, "epochs": sum(trained)}
    (whole, at_once), (mask, record) = found["whole"], found["on"]
    assert all(torch.equal(mask[layer], whole[layer]) for layer in whole)
    assert (record["ties"], record["passes"]) == (at_once["ties"], at_once["passes"])
    assert at_once["epochs"] * 120 == at_once["passes"]["backward"]
    assert record["epochs"] <= at_once["epochs"] - METHODS[name]["epochs"] - 1
