"""Which kept weights lie on a path from input to output: nets whose paths can be drawn on paper."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sanity.invariants import nets
from sanity.masks import allocate, dense, kept, prunable
from sanity.masks.effective_density import effective_density, live_weights, paths_are_known, why_unknown


def chain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))


def masks(first: list[list[int]], last: list[list[int]]) -> dict[str, Tensor]:
    return {"1.weight": torch.tensor(first) > 0, "3.weight": torch.tensor(last) > 0}


@pytest.mark.parametrize(
    ("first", "last", "alive"),
    [
        ([[1, 1], [1, 1]], [[1, 1]], 6),
        ([[1, 1], [1, 1]], [[1, 0]], 3),  # what flows into the second unit goes nowhere
        ([[1, 1], [0, 0]], [[1, 1]], 3),  # nothing flows into the second unit
        ([[1, 1], [0, 0]], [[0, 1]], 0),  # and so no path is left
        ([[1, 0], [0, 1]], [[1, 1]], 4),
        ([[0, 0], [0, 0]], [[1, 1]], 0),
    ],
)
def test_only_whole_paths_live(first: list[list[int]], last: list[list[int]], alive: int) -> None:
    mask = masks(first, last)
    live = live_weights(chain(), mask, (1, 1, 2))
    assert kept(live) == alive
    assert not any((live[name] & ~mask[name]).any() for name in mask)
    assert effective_density(chain(), mask, (1, 1, 2)) == alive / 6


@pytest.mark.parametrize("name", [*nets.NETS, *nets.BIAS_FREE])
def test_a_dense_network_lives_entirely(name: str) -> None:
    model = nets.net(name)
    assert effective_density(model, dense(model), (nets.CHANNELS, nets.SIDE, nets.SIDE)) == 1


def test_a_shortcut_is_a_path_of_its_own() -> None:
    model = nets.net("shortcut")
    mask = dense(model)
    mask["3.conv2.weight"] = torch.zeros_like(mask["3.conv2.weight"])
    live = live_weights(model, mask, (3, 6, 6))
    assert not live["3.conv1.weight"].any(), "it leads to nothing but the layer that is gone"
    assert live["3.shortcut.weight"].all()
    assert live["0.weight"].all()


def test_every_pooled_position_counts_not_only_the_largest() -> None:
    """A kernel's corner reaches the output through some position of a max-pooled map."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(1, 1))
    assert effective_density(model, dense(model), (1, 4, 4)) == 1


def test_a_weight_that_meets_only_padding_is_dead() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten(), nn.Linear(1, 1))
    live = live_weights(model, dense(model), (1, 1, 1))
    assert live["0.weight"].flatten().nonzero().flatten().tolist() == [4]


def test_depth_and_width_overflow_nothing() -> None:
    """64^200 paths are more than float64 can count, and infinity times a pruned weight would be no number."""
    model = nn.Sequential(nn.Flatten(), *(nn.Linear(64, 64) for _ in range(200)))
    mask = {name: torch.eye(64, dtype=torch.bool).logical_not() for name in prunable(model)}
    assert effective_density(model, mask, (1, 8, 8)) == 63 / 64


@pytest.mark.parametrize("seed", range(5))
def test_removing_what_is_dead_changes_no_output(seed: int) -> None:
    model = nets.net("free_convolutional", seed)
    mask = allocate(nets.scores(model, seed), 0.95)
    live = live_weights(model, mask, (3, 6, 6))
    assert 0 < kept(live) < kept(mask)
    outputs = []
    for chosen in (mask, live):
        pruned = copy.deepcopy(model)
        with torch.no_grad():
            for name, weight in prunable(pruned).items():
                weight.mul_(chosen[name])
            outputs.append(pruned(nets.batches()[0][0]))
    assert torch.equal(*outputs)


def test_the_model_stays_as_it_was() -> None:
    model = nets.unusual(nets.net("shortcut"))
    before = nets.snapshot(model)
    live_weights(model, dense(model), (3, 6, 6))
    assert not nets.changed(before, nets.snapshot(model))


class Reshaped(nn.Module):
    """An operator that is no layer."""

    def __init__(self, operator: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, x: Tensor) -> Tensor:
        return self.operator(x)


def test_an_output_through_log_softmax_has_the_same_paths() -> None:
    first = [[1, 1], [0, 0]]
    for end in (nn.LogSoftmax(1), nn.Softmax(1), nn.Sigmoid()):
        assert effective_density(nn.Sequential(*chain().children(), end), masks(first, [[1, 1]]), (1, 1, 2)) == 3 / 6


def test_a_difference_passes_both() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), Reshaped(lambda x: x[:, :1] - x[:, 1:]), nn.Linear(1, 1))
    mask = {"1.weight": torch.tensor([[1, 0], [0, 1]]) > 0, "3.weight": torch.tensor([[1]]) > 0}
    assert kept(live_weights(model, mask, (1, 1, 2))) == 3


def test_a_gate_is_a_path_and_lets_paths_through() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(2, 2), Reshaped(lambda x: x[:, :1] * torch.sigmoid(x[:, 1:])), nn.Linear(1, 1)
    )
    mask = {"1.weight": torch.tensor([[1, 0], [0, 0]]) > 0, "3.weight": torch.tensor([[1]]) > 0}
    assert kept(live_weights(model, mask, (1, 1, 2))) == 2


def test_a_factor_that_is_zero_blocks() -> None:
    """A fixed sparse connection is part of the network."""
    fixed = torch.tensor([[-2.0, 0.0]])
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), Reshaped(lambda x: x * fixed), nn.Linear(2, 1))
    assert kept(live_weights(model, dense(model), (1, 1, 2))) == 3


class Recurrent(nn.Module):
    """A linear layer for each of two time steps, an LSTM, and what it says after the first step."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.lstm = nn.Linear(1, 2), nn.Linear(1, 2), nn.LSTM(2, 3, batch_first=True)
        self.out = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.flatten(1)
        states = self.lstm(torch.stack([self.first(steps[:, :1]), self.second(steps[:, 1:])], 1))[0]
        return self.out(states[:, 0])


def test_a_recurrent_layer_looks_back_and_never_ahead() -> None:
    live = live_weights(Recurrent(), dense(Recurrent()), (1, 1, 2))
    assert live["first.weight"].all()
    assert live["out.weight"].all()
    assert not live["second.weight"].any()


def test_paths_through_an_operator_without_a_rule_are_not_known() -> None:
    """A Fourier transform turns a signal into waves, half of which are negative."""
    waves = Reshaped(lambda x: torch.fft.fft(x).real)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), waves, nn.Linear(4, 2))
    assert not paths_are_known(model, (1, 2, 2))
    assert effective_density(model, dense(model), (1, 2, 2)) is None
    assert why_unknown(model, (1, 2, 2)).startswith("operator fft_fft has no rule")


@pytest.mark.parametrize(
    ("operator", "known"),
    [
        (lambda x: torch.special.expit(x), False),  # 0.5 of nothing
        (lambda x: F.cosine_similarity(x[:, :2], x[:, 2:], -1)[:, None].expand(-1, 4), False),
        (lambda x: torch.kron(x, x)[:, :4], False),
        (lambda x: torch.rot90(x.unflatten(1, (2, 2)), 1, (1, 2)).flatten(1), True),
        (lambda x: torch.zeros(len(x), 4).index_add(1, torch.tensor([0, 1, 2, 3]), x), True),
        (lambda x: x.diff(dim=1, prepend=x[:, :1] * 0), False),
    ],
)
def test_an_operator_without_a_rule_is_known_only_if_it_moves_signals(
    operator: Callable[[Tensor], Tensor], known: bool
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), Reshaped(operator), nn.Linear(4, 2))
    assert paths_are_known(model, (1, 2, 2)) == known
    assert (effective_density(model, dense(model), (1, 2, 2)) is not None) == known


def test_no_path_beside_a_network_that_learns_is_not_known() -> None:
    """The second unit's weight is kept; by the layer's mean it still sees the first unit, which alone has inputs."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.LayerNorm(2), nn.Linear(2, 1))
    mask = {"1.weight": torch.tensor([[1, 1], [0, 0]]) > 0, "3.weight": torch.tensor([[0, 1]]) > 0}
    assert paths_are_known(model, (1, 1, 2))
    assert not kept(live_weights(model, mask, (1, 1, 2)))
    assert effective_density(model, mask, (1, 1, 2)) is None
    nothing = {**mask, "3.weight": torch.zeros(1, 2, dtype=torch.bool)}
    assert effective_density(model, nothing, (1, 1, 2)) == 0


def test_a_network_that_fails_on_signals_is_not_known() -> None:
    def refuse(x: Tensor) -> Tensor:
        if x.amax() == x.amin():
            raise RuntimeError("constant input")
        return x

    model = nn.Sequential(Reshaped(refuse), nn.Flatten(), nn.Linear(4, 2))
    assert effective_density(model, dense(model), (1, 2, 2)) is None
    assert why_unknown(model, (1, 2, 2)) == "the network fails on signals, at __eq__: RuntimeError: constant input"


def test_tensors_that_a_forward_makes_in_single_precision_are_borne() -> None:
    class Started(Recurrent):
        def forward(self, x: Tensor) -> Tensor:
            state = torch.zeros(1, len(x), 3)
            return self.out(self.lstm(self.first(x.flatten(1)[:, :1])[:, None], (state, state))[0][:, 0].float())

    assert paths_are_known(Started(), (1, 1, 2))
