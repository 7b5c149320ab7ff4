"""A mask that changes in training: interrupted or killed it comes to the same bits, and what is pruned is zero."""

import dataclasses
import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sanity.masks import dense, kept, prunable, size
from sanity.masks.updates import DropAndGrow, GradualPruning, MaskUpdates
from sanity.recipes import Recipe
from sanity.training.checkpoint import Checkpoint
from sanity.training.dispatcher import groups
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec
from sanity.training.setting import Setting
from sanity.training.trainer import Trainer
from tests.training.nets import digits, equal, half_mask, tiny_conv, tiny_mlp, trained

FORK = multiprocessing.get_context("fork")
RULES: dict[str, MaskUpdates] = {
    "rigl": DropAndGrow(every="2it", steps=False),
    "set": DropAndGrow(every="2it", grow="random"),
    "gmp": GradualPruning(every="2it", ratio=0.8),
}


def recipe(**fields: Any) -> Recipe:
    return Recipe(**{"epochs": 3, "batch_size": 16, "weight_decay": 1e-3, "momentum": 0.9, "lr": 0.05, **fields})


def job(rule: MaskUpdates | None, folder: Path | None = None, model: nn.Module | None = None) -> TrainingSpec:
    net = model or tiny_conv()
    mask = dense(net) if rule and rule.starts_dense else {name: half_mask(net)[name] for name in prunable(net)}
    return TrainingSpec(net, mask, seed=4, directory=folder, updates=rule)


def fit(spec: TrainingSpec, how: Recipe | None = None, **options: Any) -> TrainingResult:
    return trained([spec], how or recipe(), **{"deterministic": True, **options})[0]


def final(result: TrainingResult) -> dict[str, Tensor]:
    assert result.mask is not None
    return result.mask


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", RULES)
def test_what_is_pruned_at_the_end_is_zero_and_the_count_is_exact(name: str, optimizer: str) -> None:
    spec = job(RULES[name])
    result = fit(spec, recipe(optimizer=optimizer, lr=0.01))
    before, after = dict(spec.mask or {}), final(result)
    assert all(not result.weights[layer][~mask].any() for layer, mask in after.items())
    if name == "gmp":
        assert kept(after) == round(0.2 * size(after))
    else:
        assert {layer: int(mask.sum()) for layer, mask in after.items()} == {
            layer: int(mask.sum()) for layer, mask in before.items()
        }
        assert not equal(after, before)
        grown = [result.weights[layer][mask & ~before[layer]] for layer, mask in after.items()]
        assert torch.cat(grown).abs().max() > 0, "what has grown must train"
    assert result.mask_updates == len([step for step in range(2, 16) if step % 2 == 0 and step < 15]) + (name == "gmp")


@pytest.mark.parametrize("name", RULES)
def test_interrupted_after_any_step_it_ends_with_the_same_mask_and_weights(tmp_path: Path, name: str) -> None:
    whole = fit(job(RULES[name]))
    for number, steps in enumerate((4, 7, 9)):
        folder, left = tmp_path / str(number), [steps]

        def stop(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0

        with pytest.raises(Interrupted):
            fit(job(RULES[name], folder), stop=stop)
        resumed = fit(job(RULES[name], folder))
        assert resumed.resumed_from is not None
        assert equal(resumed.weights, whole.weights)
        assert equal(final(resumed), final(whole))
        assert resumed.curve == whole.curve


def _until_killed(folder: Path, epochs: Connection) -> None:
    fit(
        job(RULES["rigl"], folder),
        recipe(epochs=15),
        checkpoint_minutes=1e-9,
        progress=lambda number, row: epochs.send(row["epoch"]),
    )


def test_killed_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_until_killed, args=(tmp_path, sender))
    process.start()
    receiver.recv()
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed = fit(job(RULES["rigl"], tmp_path), recipe(epochs=15))
    whole = fit(job(RULES["rigl"]), recipe(epochs=15))
    assert resumed.resumed_from is not None
    assert equal(resumed.weights, whole.weights)
    assert equal(final(resumed), final(whole))


def test_a_checkpoint_of_another_rule_or_length_is_not_continued(tmp_path: Path) -> None:
    fit(job(RULES["set"], tmp_path), checkpoint_minutes=0)
    assert fit(job(RULES["set"], tmp_path)).resumed_from == 3
    longer = dataclasses.replace(job(RULES["set"], tmp_path), length=28)
    assert fit(longer).resumed_from is None
    assert fit(job(DropAndGrow(every="3it", grow="random"), tmp_path)).resumed_from is None
    assert fit(job(None, tmp_path)).resumed_from is None


def _trainer(rule: MaskUpdates, how: Recipe) -> Trainer:
    train_set, test_set = digits()
    setting = Setting(train_set, test_set, how, torch.device("cpu"), "fp32")
    return Trainer([job(rule)], setting, [""], [Checkpoint()])


def _watched(rule: MaskUpdates, steps: int) -> tuple[Trainer, list[dict[str, Tensor]], list[dict[str, Tensor]]]:
    """A trainer after so many steps, with weights and masks before each and after the last."""
    trainer = _trainer(rule, recipe())
    weights, masks = [], []
    trainer.begin_epoch()
    for _ in range(steps + 1):
        weights.append({name: w.clone() for name, w in trainer.stacked_model.masked_weights().items()})
        masks.append(trainer.stacked_model.mask())
        if len(weights) <= steps:
            trainer.advance()
    return trainer, weights, masks


def test_an_update_of_rigl_takes_the_place_of_a_step_and_that_of_set_follows_one() -> None:
    _, weights, masks = _watched(RULES["rigl"], 3)
    for name, mask in masks[3].items():
        stayed = masks[2][name] & mask
        assert torch.equal(weights[2][name][stayed], weights[3][name][stayed])
        assert not weights[3][name][~stayed].any()
    assert not equal(masks[2], masks[3])
    _, weights, masks = _watched(RULES["set"], 3)
    for name, mask in masks[3].items():
        stayed = masks[2][name] & mask
        assert not torch.equal(weights[2][name][stayed], weights[3][name][stayed])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_what_goes_or_comes_has_no_memory_in_the_optimizer(optimizer: str) -> None:
    trainer = _trainer(RULES["set"], recipe(optimizer=optimizer))
    trainer.begin_epoch()
    for _ in range(3):
        before = trainer.stacked_model.mask()
        trainer.advance()
    model = trainer.stacked_model
    assert not equal(before, model.mask())
    for name, mask in model.mask().items():
        parameter = model.network.get_parameter(name)
        moments = [v for v in model.optimizer.state[parameter].values() if v.shape == parameter.shape]
        assert moments
        assert all(not moment[~(mask & before[name])].any() for moment in moments)
        assert all(moment[mask & before[name]].any() for moment in moments)


def test_it_trains_alone_and_leaves_the_others_of_its_stack_as_they_were() -> None:
    specs = [job(None, model=tiny_mlp(seed)) for seed in range(2)] + [job(RULES["set"], model=tiny_mlp(2))]
    setting = Setting(*digits(), recipe(), torch.device("cpu"), "fp32")
    assert groups(specs, [Checkpoint()] * 3, setting, 4) == [[0, 1], [2]]
    together = trained(specs, recipe())
    assert equal(together[2].weights, fit(specs[2], deterministic=False).weights)
    with pytest.raises(ValueError, match="neither be stacked"):
        Trainer(specs, setting, [""] * 3, [Checkpoint()] * 3)
    with pytest.raises(ValueError, match="must be given"):
        fit(dataclasses.replace(specs[2], mask=None))


def test_a_training_that_diverges_says_so() -> None:
    model = tiny_conv()
    with torch.no_grad():
        model.get_parameter("5.weight").fill_(torch.inf)
    for rule in RULES.values():
        assert fit(job(rule, model=model)).diverged_epoch == 1
