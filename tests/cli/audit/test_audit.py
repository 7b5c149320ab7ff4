"""An audit finds what a ticket was made with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import methods
from sanity import models
from sanity.cli.audit.command import main
from sanity.cli.audit.config import AuditConfig
from sanity.cli.audit.report import Audit, audit
from sanity.data.dataset import load
from sanity.seeds import generator

RATIO = 0.75
WRITTEN = Callable[..., Path]


def _network(seed: int = 0) -> nn.Module:
    """Its layers have the shapes of lenet_300_100 on scikit-learn's digits."""
    return models.build("lenet_300_100", (1, 8, 8), 10, generator=generator(seed, "init"))


def _mask(method: str = "magnitude", seed: int = 0) -> dict[str, Tensor]:
    batches = [(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.long))]
    return dict(methods.get(method).mask(_network(seed), batches, RATIO, generator(seed, "score")))


@pytest.fixture
def written(tmp_path: Path) -> WRITTEN:
    def write(content: Any, name: str = "mask.pt") -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


def _audited(path: Path, **given: Any) -> Audit:
    return audit(path, AuditConfig(**given))


def _says(result: Audit, text: str) -> bool:
    return any(text in finding for finding in result.findings)


@pytest.mark.parametrize("method", ["magnitude", "synflow"])
def test_a_known_method_is_recognised(written: WRITTEN, method: str) -> None:
    init = written(_network().state_dict(), "init.pt")
    result = _audited(written(_mask(method)), init=str(init))
    assert _says(result, f"is exactly the {method} mask of these initial weights")
    assert "recognised by the shapes" in result.about[1]


def test_the_mask_of_other_weights_and_random_positions_resemble_nothing(written: WRITTEN) -> None:
    init = written(_network().state_dict(), "init.pt")
    for mask in (_mask(seed=1), _mask("random", seed=1)):
        result = _audited(written(mask), init=f"file:{init}")
        assert _says(result, "no more in common with any of the compared methods than chance")
        assert {overlap.reason for overlap in result.overlaps if overlap.method == "snip"} == {
            "needs examples, dataset="
        }


def test_a_rearranged_mask_is_told_by_its_counts(written: WRITTEN) -> None:
    init = written(_network().state_dict(), "init.pt")
    source = generator(3, "test")
    mask = {
        name: layer.flatten()[torch.randperm(layer.numel(), generator=source)].view_as(layer)
        for name, layer in _mask().items()
    }
    result = _audited(written(mask), init=str(init))
    assert _says(result, "than chance gives, but each layer keeps exactly as many weights as under magnitude")


def test_files_of_a_folder_that_are_no_tickets_are_left_out(
    written: WRITTEN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(_network().state_dict(), "init.pt")
    written(_mask())
    assert main(["."]) == 0
    printed = capsys.readouterr()
    assert "left out: init.pt: has no masks" in printed.err
    assert "5.weight" in printed.out


def test_methods_that_need_data_are_compared_where_there_are_some(written: WRITTEN) -> None:
    init = written(_network().state_dict(), "init.pt")
    result = _audited(written(_mask()), init=str(init), dataset="digits", options={"dataset": {"limit": 200}})
    assert not any(overlap.reason for overlap in result.overlaps)
    assert {overlap.method for overlap in result.overlaps} == {"magnitude", "snip", "grasp", "synflow", "random"}


def test_chance_is_the_overlap_of_random_positions(written: WRITTEN) -> None:
    init = written(_network().state_dict(), "init.pt")
    result = _audited(written(_mask("random", seed=1)), init=str(init))
    for overlap in result.overlaps:
        if not overlap.reason:
            assert abs(overlap.excess) < 4
            assert overlap.chance / overlap.kept == pytest.approx(1 - RATIO, abs=0.03)


def test_counts_are_held_against_the_budget(written: WRITTEN) -> None:
    mask = _mask()
    mask["5.weight"].view(-1)[mask["5.weight"].flatten().nonzero()[0]] = False
    result = _audited(written(mask))
    assert result.findings[0] == "keeps 12,549 of 50,200 weights: 25.00 %; ratio=0.75 is 12,550: 1 fewer"
    assert _audited(written(mask), ratio=0.7).findings[0].endswith("ratio=0.7 is 15,060: 2,511 fewer")


def test_dead_units_and_weights_behind_them_are_counted(written: WRITTEN) -> None:
    mask = {name: torch.ones_like(layer) for name, layer in _mask().items()}
    mask["3.weight"][0] = False
    mask["5.weight"][:, 1] = False
    first, second, third = _audited(written(mask)).layers
    assert (second.idle_outputs, third.unused_inputs) == (1, 1)
    assert (first.dead, second.dead, third.dead) == (0, 300, 10)


def test_an_empty_layer_is_named(written: WRITTEN) -> None:
    mask = _mask()
    mask["3.weight"].fill_(False)
    assert _says(_audited(written(mask)), "no weight is left in 3.weight")


def test_revived_weights_are_counted(written: WRITTEN) -> None:
    mask, state = _mask(), _network(1).state_dict()
    state = {name: value * mask.get(name, 1) for name, value in state.items()}
    state["1.weight"][~mask["1.weight"]] += torch.arange(int((~mask["1.weight"]).sum())) < 3
    init = written(_network().state_dict(), "init.pt")
    content = {f"mask_{name.replace('.', '___')}": layer.float() for name, layer in mask.items()} | {
        f"model.{name}": value for name, value in state.items()
    }
    result = _audited(written(content), init=str(init))
    assert _says(result, "3 removed weights are not zero in the final weights")
    assert _says(result, "are not the initial ones (0.0 % equal")
    assert [layer.revived for layer in result.layers] == [3, 0, 0]


def test_counts_of_a_published_rule_are_recognised(written: WRITTEN) -> None:
    mask = methods.get("random", allocation="erk").mask(_network(), [], RATIO)
    assert _says(_audited(written(dict(mask))), "the layers' counts are those of ERK")


def test_a_network_is_not_taken_for_one_with_fewer_layers(written: WRITTEN) -> None:
    network = models.build("resnet20", (3, 32, 32), 10, generator=generator(0, "init"))
    mask = {f"a.{place}": layer for place, layer in enumerate(methods.get("magnitude").mask(network, [], 0.5).values())}
    result = _audited(written(mask))
    assert "network resnet20 on inputs of 3x32x32" in result.about[1]
    assert len(result.layers) == 22


def test_a_mask_of_an_unknown_network_is_audited_without_one(written: WRITTEN) -> None:
    result = _audited(written({"a": torch.eye(5, 6) > 0, "b": torch.ones(3, 5, dtype=torch.bool)}))
    assert "no network of ours" in result.about[1]
    assert result.layers[0].unused_inputs == 1
    assert result.layers[0].dead is None


def test_the_command_prints_a_table_and_writes_a_page(
    written: WRITTEN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(written(_mask()))]) == 0
    out = capsys.readouterr().out
    assert "5.weight" in out
    assert "not compared with snip" in out
    page = (tmp_path / "audit-mask.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "12,550" in page
    assert "http" not in page


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "which file?"),
        (["none.pt"], "there is no such file"),
        (["mask.pt", "modle=lenet5"], "Did you mean 'model'?"),
        (["mask.pt", "model=lenet5"], "no layer for '0.weight'"),
        (["mask.pt", "input=28"], "input=28: should be channels x height x width"),
        (["mask.pt", "from=scores"], "from=scores"),
        (["init.pt"], "has no masks"),
        (["mask.pt", "init=none.pt"], "init=none.pt: there is no such file"),
        (["mask.pt", "init=file:empty.pt"], "init=file:empty.pt: is empty"),
        (["mask.pt", "init=empty.pt"], "init=empty.pt: is empty"),
        (["mask.pt", "final=empty.pt"], "final=empty.pt: is empty"),
        (["mask.pt", "html=."], "html=.: is a folder"),
    ],
)
def test_a_mistake_is_one_line(
    written: WRITTEN,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(_mask())
    written(_network().state_dict(), "init.pt")
    (tmp_path / "empty.pt").touch()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_the_final_weights_are_tested_where_there_are_data(written: WRITTEN) -> None:
    network = _network(1)
    train, test = load("digits", "data")
    predicted = network(replace(test, mean=train.mean, std=train.std).normalise(test.pixels)).argmax(1)
    correct = 100 * float((predicted == test.targets).float().mean())
    mask, final = written(_mask()), str(written(network.state_dict(), "final.pt"))
    assert _says(_audited(mask, final=final, dataset="digits"), f"has a test accuracy of {correct:.2f} %")
    assert not _says(_audited(mask, final=final), "test accuracy")
    weights = {name: value for name, value in network.state_dict().items() if value.dim() > 1}
    assert not _says(_audited(mask, final=str(written(weights, "bare.pt")), dataset="digits"), "test accuracy")


def test_what_was_transposed_is_said(written: WRITTEN) -> None:
    result = _audited(written({name: mask.T for name, mask in _mask().items()}), model="lenet_300_100", input="1x8x8")
    assert any("were transposed" in line for line in result.about)
