"""Masks and initial weights from files run through the grid as if they had been found here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import methods
from reports.statistics import summarise
from sanity import models
from sanity.config import from_mapping
from sanity.errors import UserError
from sanity.grid import keys
from sanity.run import prepare, run
from sanity.seeds import generator
from tests.small_runs import Start

SMALL: dict[str, Any] = {
    "model": "lenet_300_100",
    "recipe.epochs": 1,
    "dataset.limit": 200,
    "dataset.test_limit": 100,
    "precision": "fp32",
    "device": "cpu",
    "checks": "none",
    "seeds": 0,
}
RATIO = 0.9


def _network(seed: int) -> torch.nn.Module:
    return models.build("lenet_300_100", (1, 8, 8), 10, generator=generator(seed, "init"))


def _mask(seed: int, ratio: float = RATIO) -> dict[str, torch.Tensor]:
    return dict(methods.get("magnitude").mask(_network(seed), [], ratio))


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    return lambda **given: run({**SMALL, "results_dir": str(tmp_path / "results"), **given})


def _imported(path: Path, **given: Any) -> dict[str, Any]:
    return {"methods": "imported", "imported.masks": str(path), **given}


def test_a_mask_of_a_file_is_the_ticket_that_was_found(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    """And is trained once: both cells are one training."""
    torch.save(_mask(0), tmp_path / "mask.pt")
    found = ran(methods="magnitude", ratio=RATIO).iloc[0]
    read = ran(**_imported(tmp_path / "mask.pt")).iloc[0]
    assert read["ratio"] == RATIO
    assert (read["ticket"], read["training"]) == (found["ticket"], found["training"])


def test_checks_of_the_ticket_apply(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    torch.save(_mask(0), tmp_path / "mask.pt")
    checks = "layerwise_rearrange,layerwise_shuffle,reinit,rewire,rearrange_units,layer_order,density_of"
    records = ran(**_imported(tmp_path / "mask.pt", checks=checks))
    assert set(records["status"]) == {"done"}
    assert records["ticket"].nunique() == 8
    assert records["kept"].nunique() == 1


def test_a_check_of_the_ranking_is_refused(tmp_path: Path) -> None:
    torch.save(_mask(0), tmp_path / "mask.pt")
    with pytest.raises(UserError, match="positions_of: imported constructs its mask, so that it ranks no weights"):
        prepare(from_mapping({**SMALL, **_imported(tmp_path / "mask.pt"), "ratio": RATIO, "checks": "positions_of"}))


def test_patterns_give_each_seed_and_ratio_its_file(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    for seed in (0, 1):
        for ratio in (0.5, 0.9):
            torch.save(_mask(seed, ratio), tmp_path / f"{seed}-{ratio}.pt")
    cells = {"seeds": "0,1", "ratio": "0.5,0.9"}
    read = ran(**_imported(tmp_path / "{seed}-{ratio}.pt", **cells))
    found = ran(methods="magnitude", **cells)
    assert list(read["ticket"]) == list(found["ticket"])


def test_the_zeros_of_weights_are_a_mask(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    masks = _mask(0)
    state = {name: value * masks.get(name, 1) for name, value in _network(0).state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    read = ran(**_imported(tmp_path / "weights.pt", **{"imported.from": "weights"})).iloc[0]
    assert read["ticket"] == ran(methods="magnitude", ratio=RATIO).iloc[0]["ticket"]


def test_another_file_at_the_path_is_another_ticket(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    path, tickets = tmp_path / "mask.pt", []
    for seed in (0, 1):
        torch.save(_mask(seed), path)
        tickets.append(ran(**_imported(path)).iloc[0])
    assert tickets[0]["ticket"] != tickets[1]["ticket"]
    assert tickets[0]["cell"] != tickets[1]["cell"]


def _keys(path: Path, folder: Path, **given: Any) -> dict[int, tuple[str, str]]:
    keywords = {**SMALL, "results_dir": str(folder), "ratio": RATIO, **_imported(path), **given}
    from sanity.config import from_mapping

    experiment, cells = prepare(from_mapping(keywords))
    return {cell.seed: (keys.cell(cell, experiment), keys.mask(cell, experiment, RATIO, 0)) for cell in cells}


def test_names_of_results_follow_the_file_of_the_seed(tmp_path: Path) -> None:
    """Whichever other seeds a run has, and wherever the file lies where the mask is concerned."""
    (tmp_path / "moved").mkdir()
    for seed in (0, 1):
        torch.save(_mask(seed), tmp_path / f"{seed}.pt")
        torch.save(_mask(seed), tmp_path / "moved" / f"{seed}.pt")
    both = _keys(tmp_path / "{seed}.pt", tmp_path, seeds="0,1")
    alone = _keys(tmp_path / "{seed}.pt", tmp_path, seeds="1")
    assert both[1] == alone[1]
    assert both[0][1] != both[1][1]
    assert _keys(tmp_path / "moved" / "{seed}.pt", tmp_path, seeds="1")[1][1] == alone[1][1]


def test_initial_weights_come_from_a_file(tmp_path: Path) -> None:
    """Under names that the network does not have, and reinit draws others."""
    names = {"1": "a", "3": "b", "5": "c"}
    torch.save(
        {f"net.{names[key[0]]}{key[1:]}": value for key, value in _network(7).state_dict().items()}, tmp_path / "w"
    )
    from sanity.config import from_mapping

    config = from_mapping({**SMALL, "init": f"openlth+file:{tmp_path / 'w'}", "methods": "magnitude"})
    experiment, _ = prepare(config)
    for seed in (0, 1):
        state = experiment.state(seed)
        assert all(torch.equal(value, state[name]) for name, value in _network(7).state_dict().items())
    assert experiment.fresh(generator(0, "check"))["1.bias"].abs().max() > 0


def test_another_file_of_initial_weights_is_another_cell(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    cells = []
    for seed in (0, 1):
        torch.save(_network(seed).state_dict(), tmp_path / "w.pt")
        cells.append(ran(methods="magnitude", ratio=RATIO, init=f"file:{tmp_path / 'w.pt'}").iloc[0])
    assert cells[0]["cell"] != cells[1]["cell"]
    assert cells[0]["ticket"] == ran(methods="magnitude", ratio=RATIO).iloc[0]["ticket"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"checks": "random_labels"}, "a bare mask has no search whose data could be perturbed"),
        ({"checks": "invert"}, "there is no ranking to invert"),
        ({"ratio": 0.5}, "but ratio=0.5 is 25100; say ratio=0.9"),
        ({"model": "lenet5"}, "no layer for '0.weight' 20x1x5x5"),
        ({"imported.masks": ""}, "imported.masks=: give a file"),
        ({"imported.masks": "none.pt"}, "imported.masks=none.pt: there is no such file"),
        ({"imported.masks": "{seeds}.pt"}, "{seeds} is no field of a path"),
        ({"imported.from": "scores"}, "imported.from=scores"),
        ({"init": "file:{ratio}.pt"}, "init=file:{ratio}.pt: there is no value here for {ratio}"),
        ({"init": "file:none.pt"}, "init=file:none.pt: there is no such file"),
        ({"init": f"file:{__file__}"}, "test_imported.py: is none of safetensors, npz and torch"),
        ({"imported.masks": __file__}, "error: imported.masks="),
    ],
)
def test_what_cannot_be_run_is_one_line(
    tmp_path: Path, start: Start, capfd: pytest.CaptureFixture[str], given: dict[str, str], complaint: str
) -> None:
    torch.save(_mask(0), tmp_path / "mask.pt")
    words = {"seeds": "0", "checks": "none", **_imported(tmp_path / "mask.pt"), **given}
    assert start(**words) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert complaint in errors[0]


def test_files_of_several_ratios_need_one_that_is_asked_for(tmp_path: Path) -> None:
    for seed, ratio in ((0, 0.5), (1, 0.9)):
        torch.save(_mask(seed, ratio), tmp_path / f"{seed}.pt")
    with pytest.raises(UserError, match="no one ratio"):
        run({**SMALL, **_imported(tmp_path / "{seed}.pt"), "seeds": "0,1"})
    with pytest.raises(UserError, match="say which, by ratio="):
        run({**SMALL, **_imported(tmp_path / "{ratio}.pt")})


@pytest.mark.parametrize(("value", "removed"), [(True, "nothing"), (False, "everything")])
def test_a_mask_that_removes_nothing_or_everything_is_no_ticket(tmp_path: Path, value: bool, removed: str) -> None:
    torch.save({name: torch.full_like(layer, value) for name, layer in _mask(0).items()}, tmp_path / "mask.pt")
    with pytest.raises(UserError, match=f"removes {removed} of 50200 weights"):
        run({**SMALL, **_imported(tmp_path / "mask.pt")})


def test_a_count_that_rounding_explains_is_said_and_run(
    tmp_path: Path, ran: Callable[..., pd.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    masks = _mask(0)
    masks["1.weight"].view(-1)[masks["1.weight"].flatten().nonzero()[0]] = False
    torch.save(masks, tmp_path / "mask.pt")
    record = ran(**_imported(tmp_path / "mask.pt")).iloc[0]
    assert record["kept"] == round(0.1 * record["prunable"]) - 1
    assert "keeps 1 weight fewer than ratio=0.9 says" in caplog.text


def test_the_papers_accuracy_stands_beside_ours(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    torch.save(_mask(0), tmp_path / "mask.pt")
    plain = ran(**_imported(tmp_path / "mask.pt"))
    records = ran(**_imported(tmp_path / "mask.pt", checks="reinit", **{"imported.paper_accuracy": 98.5}))
    assert records["training"].iloc[0] == plain["training"].iloc[0], "only the comparison is another one"
    control, checked = summarise(records).cells
    assert control.paper is not None
    assert control.paper.mean == 98.5
    assert control.paper.delta == pytest.approx(control.accuracy.mean - 98.5)
    assert checked.paper is None


def test_layers_that_are_stored_the_other_way_round_are_transposed(
    tmp_path: Path, ran: Callable[..., pd.DataFrame], caplog: pytest.LogCaptureFixture
) -> None:
    """Masks and initial weights, under TensorFlow's names."""
    names = {"1.": "dense", "3.": "dense_1", "5.": "dense_2"}

    def kept(tensors: Any) -> dict[str, Any]:
        parts = {"weight": "kernel:0", "bias": "bias:0"}
        return {f"{names[name[:2]]}/{parts[name[2:]]}": tensor.numpy().T for name, tensor in tensors.items()}

    np.savez(tmp_path / "mask.npz", **kept(_mask(0)))
    np.savez(tmp_path / "init.npz", **kept(_network(0).state_dict()))
    read = ran(**_imported(tmp_path / "mask.npz", init=f"file:{tmp_path / 'init.npz'}")).iloc[0]
    assert read["ticket"] == ran(methods="magnitude", ratio=RATIO).iloc[0]["ticket"]
    assert caplog.text.count("stored as inputs x outputs, and were transposed") == 2


def test_with_convolutions_nothing_is_transposed(tmp_path: Path, ran: Callable[..., pd.DataFrame]) -> None:
    network = models.build("lenet5", (1, 8, 8), 10, generator=generator(0, "init"))
    masks = methods.get("magnitude").mask(network, [], RATIO)
    torch.save({name: mask.mT if mask.dim() == 2 else mask for name, mask in masks.items()}, tmp_path / "mask.pt")
    with pytest.raises(UserError, match="but that layer of the network"):
        ran(**_imported(tmp_path / "mask.pt", model="lenet5"))
