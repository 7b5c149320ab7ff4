"""Several tickets at once against each alone: stacks, lanes in turn, the recorded step, the end of memory."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training_nets import digits, equal, half_mask, tiny_conv, tiny_mlp

from sanity import fleet
from sanity.jobs import Position
from sanity.lane import Lane, Setting
from sanity.recipes import Recipe
from sanity.stacked import StackedLinear, can_stack, stack
from sanity.training import Interrupted, Job, Trained, train

RECIPE = Recipe(epochs=2, batch_size=16, weight_decay=1e-3)


def fit(jobs: list[Job], recipe: Recipe = RECIPE, **options: Any) -> list[Trained]:
    return train(jobs, *digits(), recipe, **{"device": "cpu", "precision": "fp32", **options})


def tickets(count: int, **fields: Any) -> list[Job]:
    """Different weights, masks (one dense) and data orders."""
    models = [tiny_mlp(seed) for seed in range(count)]
    return [
        Job(model, half_mask(model, seed) if seed != 1 else None, seed=seed, **fields)
        for seed, model in enumerate(models)
    ]


def count_lanes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tickets each lane had."""
    sizes: list[int] = []
    original = Lane.__init__

    def counting(self: Lane, group: list[Job], *rest: Any) -> None:
        sizes.append(len(group))
        original(self, group, *rest)

    monkeypatch.setattr(Lane, "__init__", counting)
    return sizes


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "adadelta"])
def test_a_stack_trains_each_ticket_as_if_alone(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer, lr=0.02, crop_padding=1, decay_norm=False)
    alone = [fit([job], recipe)[0] for job in tickets(3)]
    sizes = count_lanes(monkeypatch)
    together = fit(tickets(3), recipe)
    assert sizes == [3]
    for one, other, job in zip(alone, together, tickets(3), strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-3, atol=1e-4)
        for row, expected in zip(other.curve, one.curve, strict=True):
            assert row == pytest.approx(expected, rel=1e-3)
        for name, keep in (job.mask or {}).items():
            assert torch.count_nonzero(other.weights[name][~keep]) == 0


def test_a_stack_in_bf16_stays_near_fp32() -> None:
    for half, full in zip(fit(tickets(3), precision="bf16"), fit(tickets(3)), strict=True):
        assert half.curve[-1]["train_loss"] == pytest.approx(full.curve[-1]["train_loss"], rel=0.02)
        assert half.precision == "bf16"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_stacked_layer_has_the_gradients_of_its_layers(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Linear(5, 3), nn.Linear(5, 3)]
    inputs = torch.randn(2, 4, 5, generator=generator).requires_grad_()
    upstream = torch.randn(2, 4, 3, generator=generator)
    stacked = StackedLinear(layers)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        outputs = stacked(inputs.flatten(0, 1))
    (outputs.float() * upstream.flatten(0, 1)).sum().backward()
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    for index, layer in enumerate(layers):
        (alone,) = torch.autograd.grad((layer(inputs[index]) * upstream[index]).sum(), inputs)
        (layer(inputs[index].detach()) * upstream[index]).sum().backward()
        assert inputs.grad is not None
        assert stacked.weight.grad is not None
        assert stacked.bias is not None
        assert stacked.bias.grad is not None
        pairs = [
            (inputs.grad[index], alone[index]),
            (stacked.weight.grad[index], layer.weight.grad),
            (stacked.bias.grad[index], layer.bias.grad),
        ]
        for ours, expected in pairs:
            torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
    assert outputs.dtype == dtype


def test_only_networks_of_plain_linear_layers_are_stacked() -> None:
    assert can_stack(tiny_mlp())
    assert can_stack(nn.Linear(3, 2, bias=False))
    assert not can_stack(tiny_conv())
    assert not can_stack(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    assert not can_stack(nn.Sequential(nn.Linear(3, 3), nn.Dropout()))
    assert not can_stack(nn.Flatten())
    assert stack([nn.Linear(3, 2, bias=False)] * 2)(torch.zeros(4, 3)).shape == (4, 2)


def test_jobs_at_other_places_of_the_schedule_are_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = count_lanes(monkeypatch)
    jobs = [*tickets(2), *tickets(2, start_epoch=1), *tickets(1, epochs=1)]
    fit(jobs)
    assert sorted(sizes) == [1, 2, 2]
    sizes.clear()
    fit(tickets(2), deterministic=True)
    fit(tickets(2), dataclasses.replace(RECIPE, schedule="plateau"))
    assert sizes == [1, 1, 1, 1]


def test_many_tickets_make_stacks_of_about_equal_size() -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    parts = fleet.groups(tickets(9), [Position()] * 9, setting, False)
    assert sorted(len(part) for part in parts) == [4, 5]
    assert sorted(number for part in parts for number in part) == list(range(9))


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
    jobs = [Job(build(seed), half_mask(build(seed)), seed, start_epoch=seed) for seed in range(3)]
    jobs[0] = dataclasses.replace(jobs[0], snapshots=frozenset({1}))
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
    def jobs(directory: Path | None) -> list[Job]:
        models = [tiny_mlp(seed) if stacked else tiny_conv(seed) for seed in range(3)]
        return [
            Job(model, half_mask(model), seed, directory=directory and directory / str(seed))
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


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta"])
@pytest.mark.parametrize("build", [tiny_conv, tiny_mlp])
def test_the_step_that_a_graph_records_is_the_step(build: Any, optimizer: Any) -> None:
    """Run without a graph: the step finds its batch and rate by a counter on the device, after a rehearsal undone."""
    recipe = Recipe(epochs=1, batch_size=16, schedule="cosine", crop_padding=1, optimizer=optimizer)
    setting = Setting(*digits(), recipe, torch.device("cpu"), "fp32")
    lanes = [Lane([Job(build(), half_mask(build()), 0)], setting, [""], [Position()]) for _ in range(2)]
    lanes[1].replay = lanes[1].recorded_step
    with lanes[1].rehearsal():
        for _ in range(3):
            lanes[1].take_step()
    for lane in lanes:
        lane.begin_epoch()
        for _ in range(lane.steps):
            lane.take_step()
        lane.end_epoch()
    first, second = (lane.results()[0] for lane in lanes)
    torch.testing.assert_close(first.weights, second.weights, rtol=1e-6, atol=1e-7)
    assert first.curve[0] == pytest.approx(second.curve[0], rel=1e-6)
    assert int(lanes[1].clock) == 6


def test_rehearsing_leaves_no_trace() -> None:
    setting = Setting(*digits(), RECIPE, torch.device("cpu"), "fp32")
    lane = Lane([Job(tiny_conv(), None, 0)], setting, [""], [Position()])
    lane.begin_epoch()
    for _ in range(3):
        lane.take_step()
    before = {**lane.ensemble.state(0), "sums": lane.sums.clone()}
    assert fleet.step_time([lane]) > 0
    assert equal({**lane.ensemble.state(0), "sums": lane.sums.clone()}, before)
    assert lane.step == 3


@pytest.mark.parametrize(
    ("costs", "room", "expected"),
    [
        ({1: 1.0, 2: 1.1, 4: 1.5, 8: 3.1}, 99, 4),
        ({1: 1.0, 2: 1.98}, 99, 1),
        ({1: 1.0, 2: 1.1, 4: 1.5, 6: 1.6}, 99, 6),
        ({1: 1.0, 2: 1.1, 4: 1.5}, 2, 2),
    ],
)
def test_lanes_are_added_while_it_pays_and_there_is_room(
    costs: dict[int, float], room: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: list[Any] = [object()]
    monkeypatch.setattr(fleet, "step_time", lambda lanes: costs[len(lanes)])

    def grow(count: int) -> None:
        lanes.extend(object() for _ in range(count - len(lanes)))

    assert fleet.widen(lanes, max(costs), grow, lambda have, more: have + more <= room) == expected


def test_out_of_memory_means_fewer_side_by_side_and_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [Job(tiny_conv(seed), None, seed) for seed in range(4)]
    expected = fit(jobs)
    widths: list[int] = []
    original = fleet.Fleet.launch

    def counting(self: fleet.Fleet) -> Any:
        lanes = original(self)
        widths.append(len(lanes))
        return lanes

    def tight(self: Lane) -> None:
        if widths[-1] > 1:
            raise torch.OutOfMemoryError("no memory left")
        take_step(self)

    take_step = Lane.take_step
    monkeypatch.setattr(fleet.Fleet, "launch", counting)
    monkeypatch.setattr(Lane, "take_step", tight)
    with caplog.at_level(logging.WARNING):
        results = fit(jobs, runs_per_device=4)
    assert widths == [4, 2, 1, 1, 1, 1, 0]
    assert len(caplog.messages) == 2
    assert all(equal(one.weights, other.weights) for one, other in zip(results, expected, strict=True))


def test_a_single_job_that_does_not_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def tight(self: Lane) -> None:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(Lane, "take_step", tight)
    with pytest.raises(torch.OutOfMemoryError):
        fit([Job(tiny_conv(), None, 0)])
