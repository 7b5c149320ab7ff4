"""The names of stored results, written out: a change of the code that changes one of them orphans what people have.

The tickets are written by hand, so that the names hold on every processor.
"""

from functools import lru_cache
from typing import Any

import pytest
import torch

from sanity import masks
from sanity.config import from_mapping
from sanity.grid import keys
from sanity.grid.cells import NO_CHECK, Cell
from sanity.grid.experiment import Experiment
from sanity.masks.ticket import Ticket
from sanity.run import prepare

SETTINGS: dict[str, dict[str, Any]] = {
    "quick": {},
    "checks": {"methods": "snip@lee2019,synflow", "checks": "random_labels+random_pixels,reinit,invert"},
    "options": {"methods": "grasp", "grasp.batch_norm": "running", "random_pixels.channels": "together"}
    | {"checks": "random_pixels+layerwise_shuffle", "ratio": 0.9},
    "network": {
        "methods": "random_tickets,magnitude",
        "model": "lenet_300_100",
        "init": "lee2019_narrow",
        "ratio": 0.9,
    },
    "recipe": {"methods": "snip", "recipe": "su2020", "recipe.epochs": 6, "recipe.holdout": 0.1, "seeds": 7},
    "trained": {"methods": "dense,partially_trained", "recipe.epochs": 4, "deterministic": "true"}
    | {"checks": "random_labels", "model.width": 4},
    "rewound": {"methods": "hybrid_tickets@su2020", "hybrid_tickets.rewind_epoch": "50%", "recipe.epochs": 4},
}


@lru_cache
def _prepared(name: str) -> tuple[Experiment, list[Cell]]:
    config = from_mapping({"device": "cpu", "precision": "fp32", "seeds": 0, **SETTINGS[name]})
    return prepare(config)


def _cell(name: str, title: str) -> tuple[Experiment, Cell]:
    experiment, cells = _prepared(name)
    return experiment, next(cell for cell in cells if cell.title == title)


def _mask_key(name: str, title: str) -> str:
    experiment, cell = _cell(name, title)
    return keys.mask(cell, experiment, cell.ratio, 0)


def _training_key(name: str, title: str, start_epoch: int, epochs: int | None, dense: bool) -> str:
    experiment, cell = _cell(name, title)
    state = {
        key: torch.arange(tensor.numel(), dtype=torch.float64).view_as(tensor).to(tensor.dtype)
        for key, tensor in experiment.state(cell.seed).items()
    }
    mask = masks.dense(experiment.initial(cell.seed))
    if not dense:
        mask = {key: torch.arange(layer.numel()).view_as(layer) % 3 == 0 for key, layer in mask.items()}
    ticket = Ticket(state, mask, start_epoch, epochs)
    return keys.ticket(ticket.digest(), cell.seed, NO_CHECK, experiment)


CELLS = [
    ("quick", "grasp 98 % none seed 0", "4b0efc6fd03f2ee1c5f6"),
    ("quick", "grasp 98 % layerwise_rearrange seed 0", "abfa21ceea4018d7f740"),
    ("checks", "snip@lee2019 98 % random_labels+random_pixels seed 0", "44185fb081cbaf25f77b"),
    ("checks", "synflow 98 % reinit seed 0", "a99c07eb0e193e98ff9e"),
    ("checks", "snip@lee2019 98 % invert seed 0", "702c7406f11e2eb26019"),
    (
        "options",
        "grasp[batch_norm=running] 90 % random_pixels[channels=together]+layerwise_shuffle seed 0",
        "2a963e5b16ab8b5162ef",
    ),
    ("network", "magnitude 90 % none seed 0", "d48c6de7744953694cc3"),
    ("recipe", "snip 98 % layerwise_rearrange seed 7", "0667c57905d2329de371"),
    ("trained", "dense seed 0", "19be96cafe8e4c7d6fb1"),
    ("trained", "partially_trained 98 % random_labels seed 0", "6cc5b26c1d2467c9d372"),
    ("rewound", "hybrid_tickets@su2020[rewind_epoch=50%] 98 % none seed 0", "e60c86e0270ecb5e23da"),
]
MASKS = [
    ("quick", "grasp 98 % none seed 0", "c37a7549800514ab0986"),
    ("checks", "snip@lee2019 98 % none seed 0", "f5c3c75d3c0c40aae6f8"),
    ("checks", "snip@lee2019 98 % random_labels+random_pixels seed 0", "9f86323aca6a04142254"),
    ("checks", "synflow 98 % none seed 0", "425ccdc5f2f40786443d"),
    ("checks", "synflow 98 % random_labels+random_pixels seed 0", "425ccdc5f2f40786443d"),
    ("options", "grasp[batch_norm=running] 90 % none seed 0", "de479f6c81eeecfa8f0e"),
    ("network", "random_tickets 90 % none seed 0", "ae17e238b067905bc2d8"),
    ("network", "magnitude 90 % none seed 0", "dfc5adfca8b34a09130c"),
    ("recipe", "snip 98 % none seed 7", "f7e0b3962b6caba53f60"),
    ("trained", "partially_trained 98 % none seed 0", "51e275d80700166ed47f"),
    ("trained", "partially_trained 98 % random_labels seed 0", "d22601cf0a27f810bd22"),
    ("rewound", "hybrid_tickets@su2020[rewind_epoch=50%] 98 % none seed 0", "c10ea9fc63baaf38cddd"),
]
TRAININGS = [
    ("quick", "grasp 98 % none seed 0", 0, None, False, "a968ac6592ee9e53f88a"),
    ("quick", "grasp 98 % layerwise_rearrange seed 0", 3, None, False, "8235f5159b0ac6b676cc"),
    ("checks", "snip@lee2019 98 % reinit seed 0", 0, 5, False, "d718d0116f2b60b8ed9d"),
    ("checks", "synflow 98 % none seed 0", 2, 7, False, "49a573910d52ca9f503a"),
    ("options", "grasp[batch_norm=running] 90 % none seed 0", 0, None, False, "a968ac6592ee9e53f88a"),
    ("network", "random_tickets 90 % none seed 0", 0, None, False, "60eaa97815111755747a"),
    ("network", "magnitude 90 % none seed 0", 1, 160, False, "ffc72c7ad249f044b82b"),
    ("recipe", "snip 98 % none seed 7", 0, None, False, "589d8fa33671103c7505"),
    ("trained", "partially_trained 98 % none seed 0", 0, 4, False, "d5050fefd91a3ef7fd76"),
    ("trained", "dense seed 0", 0, None, True, "d61924b9455ede90d6bb"),
]


@pytest.mark.parametrize(("name", "title", "key"), CELLS)
def test_a_cells_record_has_the_name_that_it_always_had(name: str, title: str, key: str) -> None:
    experiment, cell = _cell(name, title)
    assert keys.cell(cell, experiment) == key


@pytest.mark.parametrize(("name", "title", "key"), MASKS)
def test_a_mask_has_the_name_that_it_always_had(name: str, title: str, key: str) -> None:
    assert _mask_key(name, title) == key


@pytest.mark.parametrize(("name", "title", "start_epoch", "epochs", "dense", "key"), TRAININGS)
def test_a_training_has_the_name_that_it_always_had(
    name: str, title: str, start_epoch: int, epochs: int | None, dense: bool, key: str
) -> None:
    assert _training_key(name, title, start_epoch, epochs, dense) == key
