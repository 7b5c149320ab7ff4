"""The speed of a masked and of a small network: all is measured, and nothing else changes."""

import time
from functools import partial
from unittest.mock import patch

import pytest
import torch
from torch import nn

import methods
from sanity.invariants import nets
from sanity.masks.small_network import small_network
from sanity.seeds import generator
from sanity.training.clock import Clock
from sanity.training.speed import in_turns, speed_up, training_step

CPU = torch.device("cpu")


def test_both_networks_are_measured_and_stay_as_they_are() -> None:
    net = nets.net("batch_norm")
    mask = methods.get("random", pattern="channel").mask(net, [], 0.5, generator(1))
    small = small_network(net, mask)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    draws, threads = torch.random.get_rng_state(), torch.get_num_threads()
    measured = speed_up(net, mask, small, (3, 6, 6), CPU, "fp32")
    assert min(measured.masked_forward_s, measured.small_forward_s, measured.masked_step_s, measured.small_step_s) > 0
    assert (measured.batch, measured.turns, measured.threads) == (32, 3, 1)
    assert measured.device.endswith("1 thread")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), draws)
    assert torch.get_num_threads() == threads


def test_a_step_leaves_pruned_weights_at_zero_and_moves_the_others() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    mask = {"1.weight": torch.arange(48).view(4, 12) % 2 == 0}
    weight = net.get_parameter("1.weight")
    with torch.no_grad():
        weight.mul_(mask["1.weight"])
    before = weight.detach().clone()
    training_step(net, mask, torch.ones(3, 3, 2, 2))()
    assert (weight[~mask["1.weight"]] == 0).all()
    assert (weight != before)[mask["1.weight"]].all()


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_networks_take_turns_and_the_first_one_does_not_count(clock: Clock) -> None:
    taken: list[str] = []
    seconds = iter([0.0, 9.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 5.0])
    name = "process_time" if clock == "cpu" else "perf_counter"
    works = {key: partial(taken.append, key) for key in ("a", "b")}
    with patch.object(time, name, lambda: next(seconds)):
        times = in_turns(works, CPU, turns=2, clock=clock)
    assert taken == ["a", "b"] * 3
    assert times == {"a": [1.0, 3.0], "b": [2.0, 5.0]}
