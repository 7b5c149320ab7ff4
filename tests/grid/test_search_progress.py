"""A search that trains its scores goes on where it was stopped or killed, and finds the mask that it finds at once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sanity.config import from_mapping
from sanity.grid.search_progress import FILE
from sanity.grid.tasks import own_searches
from sanity.grid.ticket_search import find_mask
from sanity.run import prepare
from sanity.training.loop import Interrupted

METHODS: dict[str, dict[str, Any]] = {
    "edge_popup": {"epochs": 4, "optimizer": "sgd"},
    "gem_miner": {"epochs": 6, "optimizer": "adam", "learning_rate": 0.01, "period": 2},
}


class After:
    """A stop that says so, or raises, when it was asked so often."""

    def __init__(self, times: int, error: type[BaseException] | None = None) -> None:
        self.left, self.error = times, error

    def __call__(self) -> bool:
        self.left -= 1
        if self.left <= 0 and self.error is not None:
            raise self.error
        return self.left <= 0


def found(folder: Path, name: str, stops: list[After], **keys: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The mask and the record of the search, after these interruptions."""
    options = {f"{name}.{key}": value for key, value in METHODS[name].items()}
    asked = {
        "model": "lenet_300_100", "recipe.epochs": 1, "recipe.batch_size": 50, "recipe.crop_padding": 1,
        "recipe.flip": True, "dataset.limit": 120, "dataset.test_limit": 50, "ratio": 0.8, "seeds": 0, "device": "cpu",
        "checks": "none", "methods": name, "results_dir": str(folder), **options, **keys,
    }  # fmt: skip
    experiment, (cell,) = prepare(from_mapping(asked))
    (search,) = own_searches(cell, experiment)
    path = experiment.store.folder("tickets", search.key)
    for stop in stops:
        with pytest.raises(stop.error or Interrupted):
            find_mask(search, experiment, stop)
        assert (path / FILE).exists()
    find_mask(search, experiment)
    assert not (path / FILE).exists()
    record = experiment.store.read(path / "ticket.json")
    assert record is not None
    return load_file(path / "mask.safetensors"), record


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("stops", "minutes"),
    [([After(1)], 999), ([After(2), After(1), After(1)], 999), ([After(3, RuntimeError)], 0)],
    ids=["stopped", "stopped thrice", "killed"],
)
def test_it_goes_on_to_the_same_mask(tmp_path: Path, name: str, stops: list[After], minutes: float) -> None:
    again = [After(stop.left, stop.error) for stop in stops]
    mask, record = found(tmp_path / "on", name, again, checkpoint_minutes=minutes)
    whole, at_once = found(tmp_path / "whole", name, [])
    assert all(torch.equal(mask[layer], whole[layer]) for layer in whole)
    assert record["ties"] == at_once["ties"]
    if not any(stop.error for stop in stops):  # what was lost by killing is made again
        assert record["passes"] == at_once["passes"]


def test_progress_that_is_damaged_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, _ = found(tmp_path / "whole", "edge_popup", [])

    class Damaging(After):
        def __call__(self) -> bool:
            for path in tmp_path.glob(f"on/tickets/*/{FILE}"):
                path.write_bytes(path.read_bytes()[:100])
            return super().__call__()

    mask, _ = found(tmp_path / "on", "edge_popup", [Damaging(3, RuntimeError)], checkpoint_minutes=0)
    assert "damaged" in caplog.text
    assert all(torch.equal(mask[layer], whole[layer]) for layer in whole)
