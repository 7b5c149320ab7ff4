"""The loop against a plain one, masks that stay exactly zero, rewinding, divergence, snapshots, mistakes."""

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.recipes import Recipe
from sanity.training.batches import draw_epoch
from sanity.training.loop import TrainingSpec
from sanity.training.lr_schedule import rate
from sanity.training.optimizer import norm_parameters, not_decayed
from tests.training.nets import DEVICES, digits, equal, half_mask, tiny_conv, tiny_mlp, trained

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-3},
    "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-3},
    "plain": {"lr": 0.1, "momentum": 0.0},
    "adam": {"optimizer": "adam", "lr": 0.01, "weight_decay": 1e-2},
    "adamw": {"optimizer": "adamw", "lr": 0.01, "weight_decay": 1e-2},
    "adadelta": {"optimizer": "adadelta", "lr": 1.0, "weight_decay": 1e-2},
    "betas": {"optimizer": "adamw", "lr": 0.01, "betas": (0.7, 0.95)},
    "clipped": {"lr": 0.1, "clip_norm": 0.2},
    "smoothed": {"lr": 0.1, "label_smoothing": 0.2},
    "spared": {"lr": 0.1, "weight_decay": 0.2, "decay_norm": False, "decay_bias": False},
    "transformer": {
        **{"optimizer": "adamw", "lr": 0.01, "betas": (0.9, 0.95), "schedule": "cosine", "clip_norm": 1.0},
        **{"weight_decay": 0.5, "decay_norm": False, "decay_bias": False, "label_smoothing": 0.1},
    },
}
TORCHS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adadelta": torch.optim.Adadelta}


def plain_loop(job: TrainingSpec, recipe: Recipe, data: Dataset) -> tuple[nn.Module, list[float]]:
    """What the papers' code does: one batch at a time, weights masked after every step; the losses of the epochs."""
    model, mask = copy.deepcopy(job.model).train(), job.mask or {}
    parameters = dict(model.named_parameters())
    options: dict[str, Any] = {"lr": recipe.lr, "foreach": False}
    spares = not recipe.decay_bias  # in these tests norms are then spared too: all that has one dimension
    groups: list[dict[str, Any]] = [
        {"params": [part for part in parameters.values() if part.dim() > 1], "weight_decay": recipe.weight_decay},
        {
            "params": [part for part in parameters.values() if part.dim() == 1],
            "weight_decay": 0 if spares else recipe.weight_decay,
        },
    ]
    if recipe.optimizer == "sgd":
        options |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
        optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, **options)
    else:
        options |= {"betas": recipe.betas} if recipe.optimizer.startswith("adam") else {}
        optimizer = TORCHS[recipe.optimizer](groups, **options)
    for name, keep in mask.items():
        parameters[name].data *= keep
    losses = []
    for epoch in range(recipe.epochs):
        order = draw_epoch(job.seed, epoch, torch.arange(len(data)), recipe).order[0]
        batches, total = order.split(recipe.batch_size), 0.0
        for step, index in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate(recipe, epoch + step / len(batches))
            logits = model(data.normalise(data.pixels[index]))
            loss = F.cross_entropy(logits, data.targets[index], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            for name, parameter in parameters.items():
                parameter.grad = parameter.grad * mask[name] if name in mask else parameter.grad  # type: ignore[operator]
            if recipe.clip_norm:
                nn.utils.clip_grad_norm_(parameters.values(), recipe.clip_norm)
            optimizer.step()
            for name, keep in mask.items():
                parameters[name].data *= keep
            total += loss.item() * len(index)
        losses.append(total / len(data))
    return model, losses


def assert_near(weights: dict[str, Tensor], model: nn.Module, tolerance: float) -> None:
    torch.testing.assert_close(weights, dict(model.state_dict()), rtol=tolerance, atol=tolerance, check_device=False)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_loop_trains_as_a_plain_loop_does(optimizer: str, masked: bool, device: str) -> None:
    recipe = Recipe(epochs=3, batch_size=16, milestones=(1, 2.5), warmup_epochs=0.5, **OPTIMIZERS[optimizer])
    for model in (tiny_mlp(), tiny_conv()):
        # In Adam a masked gradient and a masked weight are one thing only if decay and moments see zeros too.
        job = TrainingSpec(model, half_mask(model) if masked else None, seed=3)
        expected, losses = plain_loop(job, recipe, digits()[0])
        (result,) = trained([job], recipe, device=device)
        assert_near(result.weights, expected, 1e-4)
        assert [row["train_loss"] for row in result.curve] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pruned_weights_are_exactly_zero_and_kept_ones_are_not(optimizer: str, precision: str, device: str) -> None:
    model = tiny_conv()
    mask = half_mask(model)
    recipe = Recipe(epochs=2, batch_size=16, crop_padding=1, flip=True, **OPTIMIZERS[optimizer])
    (result,) = trained([TrainingSpec(model, mask, seed=0)], recipe, precision=precision, device=device)
    for name, keep in mask.items():
        assert torch.count_nonzero(result.weights[name][~keep]) == 0
        assert torch.count_nonzero(result.weights[name][keep]) == keep.sum()
    assert {"epoch": 2}.items() <= result.curve[-1].items()


def test_the_caller_keeps_model_generators_and_switches_as_they_were() -> None:
    model = tiny_conv()
    before, noise = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    trained([TrainingSpec(model, half_mask(model), seed=0)], Recipe(epochs=1), deterministic=True)
    assert equal(model.state_dict(), before)
    assert torch.equal(noise, torch.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_repeat_is_bit_equal_and_another_seed_is_not(precision: str) -> None:
    recipe, model = Recipe(epochs=2, batch_size=16, crop_padding=1), tiny_conv()
    first, again, other = (
        trained([TrainingSpec(model, None, seed)], recipe, precision=precision, deterministic=True)[0]
        for seed in (1, 1, 2)
    )
    assert equal(first.weights, again.weights)
    assert first.curve == again.curve
    assert not equal(first.weights, other.weights)


def test_the_curve_measures_what_a_plain_evaluation_measures() -> None:
    model, (_, test) = tiny_conv(), digits()
    (result,) = trained([TrainingSpec(model, None, seed=0)], Recipe(epochs=2, batch_size=16))
    model.load_state_dict(result.weights)
    logits = model.eval()(test.normalise(test.pixels))
    assert result.curve[-1]["test_loss"] == pytest.approx(F.cross_entropy(logits, test.targets).item(), rel=1e-4)
    assert result.curve[-1]["test_accuracy"] == pytest.approx(
        100 * (logits.argmax(1) == test.targets).float().mean().item()
    )
    assert [row["epoch"] for row in result.curve] == [1, 2]


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_last_partial_batch_is_trained_on_unless_the_recipe_drops_it(drop_last: bool) -> None:
    data, model = digits()[0], tiny_mlp()
    recipe = Recipe(epochs=1, batch_size=100, lr=1e-12, drop_last=drop_last)
    (result,) = trained([TrainingSpec(model, None, seed=0)], recipe)
    order = draw_epoch(0, 0, torch.arange(101), recipe).order[0, : 100 if drop_last else 101]
    expected = F.cross_entropy(model(data.normalise(data.pixels[order])), data.targets[order]).item()
    assert result.curve[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_rewound_run_is_the_tail_of_the_whole_one() -> None:
    recipe, model = Recipe(epochs=4, batch_size=16, momentum=0.0, milestones=(2,), crop_padding=1), tiny_conv()
    (whole,) = trained([TrainingSpec(model, None, 5, snapshots=frozenset({0, 14}))], recipe)
    assert equal(whole.snapshots[0], model.state_dict())
    rewound = copy.deepcopy(model)
    rewound.load_state_dict(whole.snapshots[14])
    (tail,) = trained([TrainingSpec(rewound, None, 5, start=14)], recipe)
    assert equal(tail.weights, whole.weights)
    assert [row["test_loss"] for row in tail.curve] == [row["test_loss"] for row in whole.curve[2:]]


def test_training_past_the_recipes_end_holds_its_last_rate() -> None:
    recipe = Recipe(epochs=2, batch_size=50, milestones=(1,))
    (result,) = trained([TrainingSpec(tiny_mlp(), None, 0, start=6, length=9)], recipe)
    assert [row["learning_rate"] for row in result.curve] == pytest.approx([0.01] * 3)


@pytest.mark.parametrize("schedule", ["steps", "cosine", "plateau"])
def test_a_constant_learning_rate_takes_the_place_of_any_schedule(schedule: Any) -> None:
    jobs = [TrainingSpec(tiny_mlp(), None, 0, start=3, length=6, learning_rate=lr) for lr in (0.03, 0.5, None)]
    recipe = Recipe(epochs=3, batch_size=50, lr=0.2, momentum=0.0, schedule=schedule, warmup_epochs=1)
    results = [trained([job], recipe)[0] for job in jobs]
    rates = [[row["learning_rate"] for row in result.curve] for result in results]
    assert rates[:2] == [[0.03] * 2, [0.5] * 2]
    assert rates[2] != rates[0]
    plain = Recipe(epochs=3, batch_size=50, lr=0.03, momentum=0.0, schedule="constant")
    assert equal(results[0].weights, trained([TrainingSpec(tiny_mlp(), None, 0, start=3, length=6)], plain)[0].weights)


def test_batch_norm_is_decayed_unless_the_recipe_spares_it() -> None:
    model = tiny_conv()
    recipe: dict[str, Any] = {"epochs": 1, "batch_size": 101, "lr": 1.0, "momentum": 0.0}
    spared, decayed, without = (
        trained([TrainingSpec(model, None, 0)], Recipe(**recipe, weight_decay=decay, decay_norm=norm))[0].weights
        for decay, norm in ((0.1, False), (0.1, True), (0.0, True))
    )
    norms = norm_parameters(model)
    assert norms
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(decayed[name], without[name] - 0.1 * parameter.detach())
        torch.testing.assert_close(spared[name], (without if name in norms else decayed)[name])


class _Tokens(nn.Module):
    """A class token and biases of attention, beside norms and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.attention = nn.Parameter(torch.zeros(1, 1, 4)), nn.MultiheadAttention(4, 2, add_bias_kv=True)
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 2)

    def no_weight_decay(self) -> set[str]:
        return {"token"}


def test_what_is_not_decayed_is_named_by_the_recipe_and_by_the_network() -> None:
    model = nn.Sequential(_Tokens())
    norms = {"0.norm.weight", "0.norm.bias"}
    biases = {"0.norm.bias", "0.head.bias", "0.token"}
    biases |= {f"0.attention.{name}" for name in ("in_proj_bias", "out_proj.bias", "bias_k", "bias_v")}
    assert not_decayed(Recipe(), model) == set()
    assert not_decayed(Recipe(decay_norm=False), model) == norms
    assert not_decayed(Recipe(decay_bias=False), model) == biases
    assert not_decayed(Recipe(decay_norm=False, decay_bias=False), model) == norms | biases


def test_a_gradient_is_clipped_by_the_norm_of_its_own_network_alone() -> None:
    """Trained together, two networks are clipped as each alone: a stack has one gradient for both and is not made."""
    recipe = Recipe(epochs=1, batch_size=16, clip_norm=0.1, lr=1.0)
    jobs = [TrainingSpec(tiny_mlp(seed), None, seed) for seed in (0, 1)]
    together = trained(jobs, recipe)
    for job, result in zip(jobs, together, strict=True):
        assert equal(result.weights, trained([job], recipe)[0].weights)


def test_a_run_that_diverges_is_recorded_and_the_others_go_on() -> None:
    model, broken = tiny_mlp(), tiny_mlp()
    with torch.no_grad():
        next(broken.parameters())[:] = math.inf
    seen: list[int] = []
    jobs = [TrainingSpec(broken, half_mask(broken), 0), TrainingSpec(model, None, 0)]
    bad, good = trained(jobs, Recipe(epochs=2, batch_size=16), progress=lambda job, row: seen.append(job))
    assert (bad.diverged_epoch, bad.curve) == (1, [])
    assert (good.diverged_epoch, len(good.curve)) == (None, 2)
    assert seen == [1, 1]
    name, keep = next(iter(half_mask(broken).items()))
    assert torch.count_nonzero(bad.weights[name][~keep]) == 0


def test_a_learning_rate_too_high_diverges_in_a_later_epoch_with_the_curve_up_to_there() -> None:
    (result,) = trained([TrainingSpec(tiny_mlp(), None, 0)], Recipe(epochs=12, batch_size=8, lr=30.0, weight_decay=1.0))
    assert result.diverged_epoch is not None
    assert len(result.curve) == result.diverged_epoch - 1


@pytest.mark.parametrize(
    ("recipe", "options", "says"),
    [
        ({}, {"device": "cuda:99"}, "device=cuda:99"),
        ({}, {"device": "abacus"}, "device=abacus"),
        ({}, {"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"drop_last": True, "batch_size": 200}, {}, "recipe.batch_size=200"),
        ({"normalise": "imagenet"}, {}, "recipe.normalise=imagenet"),
    ],
)
def test_mistakes_are_said_before_training(recipe: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        trained([TrainingSpec(tiny_mlp(), None, 0)], Recipe(**recipe), **options)


def test_a_mask_for_no_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameter"):
        trained([TrainingSpec(tiny_mlp(), {"9.weight": torch.ones(1, dtype=torch.bool)}, 0)], Recipe())
