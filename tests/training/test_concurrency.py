"""Several tickets at once against each alone: stacks, trainers in turn, the recorded step, the end of memory."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sanity.recipes import Recipe
from sanity.training import concurrency, dispatcher
from sanity.training.checkpoint import Checkpoint
from sanity.training.cuda_graph import CudaGraphStep
from sanity.training.loop import Interrupted, TrainingResult, TrainingSpec, train
from sanity.training.precision import numerics
from sanity.training.trainer import Setting, Trainer
from tests.training.nets import NO_GPU, digits, equal, half_mask, tiny_conv, tiny_mlp

RECIPE = Recipe(epochs=2, batch_size=16, weight_decay=1e-3)
STEPS = 7  # of an epoch: 101 examples in batches of 16


def fit(jobs: list[TrainingSpec], recipe: Recipe = RECIPE, **options: Any) -> list[TrainingResult]:
    return train(jobs, *digits(), recipe, **{"device": "cpu", "precision": "fp32", **options})


def tickets(count: int, density: float = 0.5, **fields: Any) -> list[TrainingSpec]:
    """Different weights, masks and data orders; at half density one of them is dense, the others' stack is then too."""
    models = [tiny_mlp(seed) for seed in range(count)]
    masks = [half_mask(model, seed, density) for seed, model in enumerate(models)]
    dense = density == 0.5
    return [
        TrainingSpec(model, None if dense and seed == 1 else mask, seed=seed, **fields)
        for seed, (model, mask) in enumerate(zip(models, masks, strict=True))
    ]


def count_lanes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tickets each trainer had."""
    sizes: list[int] = []
    original = Trainer.__init__

    def counting(self: Trainer, group: list[TrainingSpec], *rest: Any) -> None:
        sizes.append(len(group))
        original(self, group, *rest)

    monkeypatch.setattr(Trainer, "__init__", counting)
    return sizes


@pytest.mark.parametrize("density", [0.5, 0.1])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])
def test_a_stack_trains_each_ticket_as_if_alone(
    optimizer: Any, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, lr=0.02, crop_padding=1, decay_norm=False)
    jobs = tickets(3, density, snapshots=frozenset({0, STEPS, STEPS + 2}))
    alone = [fit([job], recipe)[0] for job in jobs]
    sizes = count_lanes(monkeypatch)
    together = fit(jobs, recipe)
    assert sizes == [3]
    for one, other, job in zip(alone, together, jobs, strict=True):
        torch.testing.assert_close(one.snapshots, other.snapshots, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
        for row, expected in zip(other.curve, one.curve, strict=True):
            assert row == pytest.approx(expected, rel=1e-3)
        for name, keep in (job.mask or {}).items():
            assert torch.count_nonzero(other.weights[name][~keep]) == 0


class Mean(nn.Module):
    """Subtracts the mean over the batch: the examples of a batch are mixed, and no layer's type says so."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs - inputs.mean(0)


class Noise(nn.Module):
    """Dropout that is no module of torch's."""

    def forward(self, inputs: Tensor) -> Tensor:
        return F.dropout(inputs, 0.2, self.training)


class Rows(nn.Module):
    """Takes an image as a sequence of its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.classifier = nn.Linear(8, 6), nn.Linear(48, 10)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.classifier(self.token(images.squeeze(1)).relu().flatten(1))
        return outputs


def network(kind: str, seed: int) -> nn.Module:
    if kind == "noisy convolution":
        return nn.Sequential(tiny_conv(seed), Noise())
    torch.manual_seed(seed)
    if kind == "rows":
        return Rows()
    return nn.Sequential(tiny_mlp(seed), {"mean": Mean(), "noise": Noise(), "dropout": nn.Dropout(0.2)}[kind])


@pytest.mark.parametrize("width", [None, 2])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("kind", ["mean", "noise", "dropout", "noisy convolution", "rows"])
def test_company_changes_no_training(kind: str, deterministic: bool, width: int | None) -> None:
    jobs = [TrainingSpec(network(kind, seed), half_mask(network(kind, seed)), seed) for seed in range(3)]
    alone = [fit([job], deterministic=deterministic)[0].weights for job in jobs]
    together = [result.weights for result in fit(jobs, deterministic=deterministic, runs_per_device=width)]
    if kind == "rows" and not deterministic:  # stacked
        torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)
    else:
        assert all(map(equal, together, alone))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("model", "options", "expected", "says"),
    [
        (tiny_mlp(), {}, (4, 2, 1), "stacks of up to 4"),
        (tiny_conv(), {}, (1, 2, 1), "plain linear layers"),
        (tiny_mlp(), {"deterministic": True}, (1, 2, 1), "rounding"),
        (tiny_mlp(), {"runs_per_device": 3}, (4, 3, 1), "as runs_per_device says"),
        (network("mean", 0), {}, (1, 2, 1), "mixes the examples"),
        (network("noise", 0), {"runs_per_device": 3}, (1, 1, 1), "random numbers"),
        (tiny_conv(), {"batch": 10**6}, (1, 1, 2), "shared among threads"),
        (tiny_mlp(), {"batch": 10**6}, (4, 2, 2), "stacks of up to 4"),
    ],
)
def test_how_trainings_share_the_processor_and_why(
    model: nn.Module, options: dict[str, Any], expected: tuple[int, int, int], says: str
) -> None:
    options = {"deterministic": False, "batch": 16, **options}
    recipe = dataclasses.replace(RECIPE, batch_size=options.pop("batch"))
    chosen = concurrency.choose(model, digits()[0], recipe, torch.device("cpu"), **options)
    assert (chosen.stack, chosen.width, chosen.threads) == expected
    assert chosen.trainings == expected[0] * expected[1]
    assert says in chosen.why


@pytest.mark.parametrize("density", [0.5, 0.1])
def test_a_stack_in_bf16_stays_near_fp32(density: float) -> None:
    for half, full in zip(fit(tickets(3, density), precision="bf16"), fit(tickets(3, density)), strict=True):
        assert half.curve[-1]["train_loss"] == pytest.approx(full.curve[-1]["train_loss"], rel=0.02)
        assert half.precision == "bf16"


def test_jobs_at_other_places_of_the_schedule_are_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = count_lanes(monkeypatch)
    jobs = [*tickets(2), *tickets(2, start=STEPS), *tickets(1, length=STEPS), *tickets(1, start=STEPS + 1)]
    fit(jobs)
    assert sorted(sizes) == [1, 1, 2, 2]
    sizes.clear()
    fit(tickets(2), deterministic=True)
    fit(tickets(2), dataclasses.replace(RECIPE, schedule="plateau"))
    assert sizes == [1, 1, 1, 1]


def test_many_tickets_make_stacks_of_about_equal_size() -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    parts = dispatcher.groups(tickets(9), [Checkpoint()] * 9, setting, 4)
    assert sorted(len(part) for part in parts) == [3, 3, 3]
    assert sorted(number for part in parts for number in part) == list(range(9))


def test_dense_and_sparse_tickets_make_stacks_of_their_own() -> None:
    """One dense ticket would have all weights of the others' stack carried along."""
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    jobs = [*tickets(3, 0.1), *tickets(3)]
    assert dispatcher.groups(jobs, [Checkpoint()] * 6, setting, 4) == [[0, 1, 2], [3, 4, 5]]


def test_in_a_stack_one_ticket_may_diverge(tmp_path: Path) -> None:
    jobs = [dataclasses.replace(job, directory=tmp_path / str(job.seed)) for job in tickets(3)]
    with torch.no_grad():
        next(jobs[0].model.parameters())[:] = torch.inf
    bad, *good = fit(jobs, checkpoint_minutes=0)
    assert (bad.diverged_epoch, bad.curve) == (1, [])
    for one, other in zip(good, (fit([job])[0] for job in tickets(3)[1:]), strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("build", [tiny_conv, tiny_mlp])
def test_lanes_in_turn_do_what_each_does_alone(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [TrainingSpec(build(seed), half_mask(build(seed)), seed, start=seed * STEPS - seed) for seed in range(3)]
    jobs[0] = dataclasses.replace(jobs[0], snapshots=frozenset({STEPS}))
    alone = [fit([job], dataclasses.replace(RECIPE, epochs=4))[0] for job in jobs]
    seen: list[int] = []
    options = {"runs_per_device": 2, "finished": lambda job, result: seen.append(job)}
    together = fit(jobs, dataclasses.replace(RECIPE, epochs=4), **options)
    for one, other in zip(alone, together, strict=True):
        assert equal(one.weights, other.weights)
        assert one.curve == other.curve
        assert one.snapshots.keys() == other.snapshots.keys()
    assert sorted(seen) == [0, 1, 2]


@pytest.mark.parametrize("stacked", [False, True])
def test_side_by_side_and_interrupted_they_end_as_if_never(tmp_path: Path, stacked: bool) -> None:
    def jobs(directory: Path | None) -> list[TrainingSpec]:
        models = [tiny_mlp(seed) if stacked else tiny_conv(seed) for seed in range(3)]
        return [
            TrainingSpec(model, half_mask(model), seed, directory=directory and directory / str(seed))
            for seed, model in enumerate(models)
        ]

    expected = fit(jobs(None), runs_per_device=2)
    steps = iter(range(1000))
    for _ in range(30):
        try:
            results = fit(jobs(tmp_path), runs_per_device=2, stop=lambda: next(steps) % 5 == 4)
            break
        except Interrupted:
            pass
    assert next(steps) >= 14
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-4, atol=1e-5)


def test_a_tickets_checkpoint_is_the_same_in_a_stack_and_alone(tmp_path: Path) -> None:
    """Begun three together, one goes on alone, the other two as a stack: groups may differ from process to process."""
    jobs = [dataclasses.replace(job, directory=tmp_path / str(job.seed)) for job in tickets(3, 0.1)]
    recipe = dataclasses.replace(RECIPE, optimizer="adam", lr=0.01)
    expected = fit(tickets(3, 0.1), recipe)
    steps = iter(range(1000))
    with pytest.raises(Interrupted):
        fit(jobs, recipe, stop=lambda: next(steps) == 9)
    results = [*fit(jobs[:1], recipe), *fit(jobs[1:], recipe)]
    assert [result.resumed_from for result in results] == [1, 1, 1]
    for one, other in zip(results, expected, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
@pytest.mark.parametrize("build", [tiny_conv, tiny_mlp])
def test_the_step_that_a_graph_records_is_the_step(build: Any, optimizer: Any) -> None:
    """Run without a graph: the step finds its batch and rate by a counter on the device, after a rehearsal undone."""
    recipe = Recipe(epochs=1, batch_size=16, schedule="cosine", crop_padding=1, optimizer=optimizer)
    setting = Setting(*digits(), recipe, torch.device("cpu"), "fp32")
    trainers = [
        Trainer([TrainingSpec(build(), half_mask(build()), 0)], setting, [""], [Checkpoint()]) for _ in range(2)
    ]
    recorded = trainers[1].stepper = CudaGraphStep(trainers[1])
    with trainers[1].rehearsal():
        for _ in range(3):
            trainers[1].take_step()
    for trainer in trainers:
        trainer.begin_epoch()
        for _ in range(trainer.steps):
            trainer.take_step()
        trainer.end_epoch()
    first, second = (trainer.results()[0] for trainer in trainers)
    torch.testing.assert_close(first.weights, second.weights, rtol=1e-6, atol=1e-7)
    assert first.curve[0] == pytest.approx(second.curve[0], rel=1e-6)
    assert int(recorded.clock) == 6


@NO_GPU
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
def test_captured_lanes_in_streams_of_their_own_train_as_launched_ones(optimizer: Any, precision: str) -> None:
    recipe = Recipe(epochs=2, batch_size=16, lr=0.02, crop_padding=1, optimizer=optimizer)
    jobs = [TrainingSpec(tiny_conv(seed), half_mask(tiny_conv(seed)), seed) for seed in range(3)]
    cuda = torch.device("cuda")
    setting = Setting(digits()[0].to(cuda), digits()[1].to(cuda), recipe, cuda, precision)
    launched = []
    for job in jobs:
        with numerics(cuda, precision, deterministic=False):
            trainer = Trainer([job], setting, [""], [Checkpoint()])
            while not trainer.done:
                with trainer.current():
                    trainer.begin_epoch()
                    for _ in range(trainer.steps):
                        trainer.take_step()
                    trainer.end_epoch()
            launched.append(trainer.results()[0])
    captured = fit(jobs, recipe, device="cuda", precision=precision, runs_per_device=3)
    measured = fit(jobs, recipe, device="cuda", precision=precision)
    for one, other, third in zip(launched, captured, measured, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.weights, third.weights, rtol=1e-3, atol=1e-4)


def test_rehearsing_leaves_no_trace() -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    trainer = Trainer([TrainingSpec(tiny_conv(), None, 0)], setting, [""], [Checkpoint()])
    trainer.begin_epoch()
    for _ in range(3):
        trainer.take_step()
    before = {**trainer.stacked_model.state(0), "sums": trainer.sums.clone()}
    assert dispatcher.step_time([trainer]) > 0
    assert equal({**trainer.stacked_model.state(0), "sums": trainer.sums.clone()}, before)
    assert trainer.taken == 3


def test_a_rehearsal_that_runs_out_of_memory_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    trainer = Trainer([TrainingSpec(tiny_conv(), None, 0)], setting, [""], [Checkpoint()])
    before = trainer.stacked_model.state(0)
    monkeypatch.setattr(trainer.stacked_model, "mask_gradients", _out_of_memory)
    with pytest.raises(torch.OutOfMemoryError):
        dispatcher.step_time([trainer])
    assert equal(trainer.stacked_model.state(0), before)
    assert all(parameter.grad is None for parameter in trainer.stacked_model.network.parameters())


def _out_of_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("no memory left")


@pytest.mark.parametrize(
    ("costs", "room", "expected"),
    [
        ({1: 1.0, 2: 1.1, 4: 1.5, 8: 3.1}, 99, 4),
        ({1: 1.0, 2: 1.98}, 99, 1),
        ({1: 1.0, 2: 1.1, 4: 1.5, 6: 1.6}, 99, 6),
        ({1: 1.0, 2: 1.1, 4: 1.5}, 2, 2),
        ({1: 1.0, 2: 1.1, 4: 0.0, 8: 0.1}, 99, 2),
    ],
)
def test_trainers_are_added_while_it_pays_and_there_is_room(costs: dict[int, float], room: int, expected: int) -> None:
    """A cost of 0 stands for memory that ends while the step is timed: more trainers do not pay then."""

    def cost(trainers: Sequence[int]) -> float:
        if costs[len(trainers)] == 0:
            _out_of_memory()
        return costs[len(trainers)]

    waiting = list(range(max(costs)))
    trainers = dispatcher.widen(
        waiting, lambda groups, beside: list(groups), lambda have, more: have + more <= room, cost
    )
    assert trainers == waiting[:expected]


def test_trainers_that_memory_does_not_hold_are_not_waited_for() -> None:
    """The third cannot be built: two go on, although four would pay."""
    trainers = dispatcher.widen(
        range(4), lambda groups, beside: [group for group in groups if group < 2], lambda *_: True, lambda built: 1.0
    )
    assert trainers == [0, 1]


def test_out_of_memory_means_fewer_side_by_side_and_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [TrainingSpec(tiny_conv(seed), None, seed) for seed in range(4)]
    expected = fit(jobs)
    widths: list[int] = []
    original = dispatcher.Dispatcher.launch

    def counting(self: dispatcher.Dispatcher) -> Any:
        trainers = original(self)
        widths.append(len(trainers))
        return trainers

    def tight(self: Trainer) -> None:
        if widths[-1] > 1:
            raise torch.OutOfMemoryError("no memory left")
        take_step(self)

    take_step = Trainer.take_step
    monkeypatch.setattr(dispatcher.Dispatcher, "launch", counting)
    monkeypatch.setattr(Trainer, "take_step", tight)
    with caplog.at_level(logging.WARNING):
        results = fit(jobs, runs_per_device=4)
    assert widths == [4, 2, 1, 1, 1, 1]
    assert len(caplog.messages) == 2
    assert all(equal(one.weights, other.weights) for one, other in zip(results, expected, strict=True))


def test_a_single_job_that_does_not_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def tight(self: Trainer) -> None:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(Trainer, "take_step", tight)
    with pytest.raises(torch.OutOfMemoryError):
        fit([TrainingSpec(tiny_conv(), None, 0)])
