"""What is exported and imported again is the same ticket."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from reports.seeds_spent import judge
from sanity import models
from sanity.cli.export import main
from sanity.errors import UserError
from sanity.masks.files.contents import masks_of
from sanity.masks.files.formats import read
from sanity.run import run
from sanity.seeds import generator

SMALL: dict[str, Any] = {
    "recipe.epochs": 1,
    "dataset.limit": 200,
    "dataset.test_limit": 100,
    "precision": "fp32",
    "device": "cpu",
    "methods": "magnitude",
    "checks": "layerwise_rearrange",
    "seeds": "0,1",
    "ratio": 0.9,
}
NETWORKS = {"lenet_300_100": {}, "resnet8": {"model.width": 4}}


def _keys(folder: Path, model: str) -> dict[str, Any]:
    return {**SMALL, "model": model, **NETWORKS[model], "results_dir": str(folder / "results")}


def _words(keys: dict[str, Any], *further: str) -> list[str]:
    return [*further, *(f"{key}={value}" for key, value in keys.items())]


@pytest.mark.parametrize("form", ["safetensors", "torch", "npz"])
@pytest.mark.parametrize("model", NETWORKS)
def test_a_ticket_comes_back_with_its_digest(tmp_path: Path, form: str, model: str) -> None:
    keys = _keys(tmp_path, model)
    records = run(keys)
    assert main(_words(keys, f"to={tmp_path / 'tickets'}", f"format={form}"), lambda: judge) == 0
    suffix = {"torch": "pt"}.get(form, form)
    for check in ("none", "layerwise_rearrange"):
        name = "magnitude" if check == "none" else f"magnitude+{check}"
        file = tmp_path / "tickets" / f"{name}_{{ratio}}_seed{{seed}}.{suffix}"
        init = str(file).replace("{ratio}", "0.9")
        again = run({**keys, "methods": "imported", "checks": "none", "imported.masks": file, "init": f"file:{init}"})
        before = records[records["check"] == check]
        assert list(again["ticket"]) == list(before["ticket"])
        assert list(again["training"]) == list(before["training"])


def test_the_state_dict_loads_into_a_network_that_torch_prunes(tmp_path: Path) -> None:
    keys = {**_keys(tmp_path, "lenet_300_100"), "checks": "none", "seeds": 0}
    run(keys)
    assert main(_words(keys, f"to={tmp_path}", "format=torch"), lambda: judge) == 0
    path = tmp_path / "magnitude_0.9_seed0.pt"
    network = models.build("lenet_300_100", (1, 8, 8), 10, generator=generator(5, "init"))
    for layer in network.children():
        if isinstance(layer, nn.Linear):
            prune.identity(layer, "weight")
    network.load_state_dict(torch.load(path, weights_only=True))
    masks = masks_of(read(path)).layers
    assert all(torch.equal(network.state_dict()[f"{name}_mask"] != 0, layer) for name, layer in masks.items())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "to=: name the folder"),
        (["format=zip"], "unknown format 'zip'"),
        (["methods=dense"], "none of them has a mask"),
        (["methods=random"], "run it first"),
        ([f"to={__file__}"], f"to={__file__}: is no folder"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    to = {"to": str(tmp_path)} if words else {}
    keys = {**_keys(tmp_path, "lenet_300_100"), **to, **dict(word.split("=") for word in words)}
    assert main(_words(keys), lambda: judge) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_rewound_ticket_keeps_its_moment(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = {**_keys(tmp_path, "lenet_300_100"), "recipe.epochs": 2, "checks": "none", "seeds": 0}
    rewound = {**keys, "magnitude.rewind": "weights", "magnitude.rewind_epoch": 1, "magnitude.retrain_lr": 0.03}
    ticket = run(rewound).iloc[0]["ticket"]
    assert main(_words(rewound, f"to={tmp_path / 'tickets'}"), lambda: judge) == 0
    (file,) = (tmp_path / "tickets").glob("*.safetensors")
    imported = {**keys, "methods": "imported", "imported.masks": str(file), "init": f"file:{file}"}
    run(imported)
    words = re.search(r"another place on the schedule; (.*) trains it from there", caplog.text)
    assert words is not None
    again = run({**imported, **dict(word.split("=") for word in words[1].split())}).iloc[0]
    assert again["ticket"] == ticket
    file.with_suffix(".json").write_text('{"start": []}')
    with pytest.raises(UserError, match="is damaged; it should hold start and epochs"):
        run(imported)


def test_with_seeds_auto_the_tickets_are_those_of_the_rounds_so_far(tmp_path: Path) -> None:
    keys = {**_keys(tmp_path, "lenet_300_100"), "seeds": "auto", "max_seeds": 5, "margin": 0.01, "methods": "snip"}
    keys |= {"recipe.epochs": 2, "recipe.batch_size": 20}
    records = run(keys)
    assert set(records["seed"]) == {*range(5)}
    assert main(_words(keys, f"to={tmp_path / 'tickets'}"), lambda: judge) == 0
    assert len(list((tmp_path / "tickets").iterdir())) == len(records)
