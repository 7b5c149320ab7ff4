"""Which weights are pruned, in every kind of layer; which stay dense, and are listed; which layers are refused."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from sanity.errors import UserError
from sanity.prunable import prunable, unpruned


@pytest.mark.parametrize(
    ("layer", "weights"),
    [
        (nn.Conv1d(2, 3, 5), ["weight"]),
        (nn.Conv3d(1, 2, 2), ["weight"]),
        (nn.ConvTranspose1d(2, 3, 2), ["weight"]),
        (nn.ConvTranspose2d(2, 3, 2), ["weight"]),
        (nn.ConvTranspose3d(2, 3, 2), ["weight"]),
        (nn.MultiheadAttention(4, 2), ["in_proj_weight", "out_proj.weight"]),
        (
            nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
            ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"],
        ),
    ],
)
def test_layers_of_every_kind_are_pruned(layer: nn.Module, weights: list[str]) -> None:
    assert list(prunable(layer)) == weights
    assert not unpruned(layer)


def test_biases_follow_their_weights() -> None:
    attention = nn.MultiheadAttention(4, 2)
    expected = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert list(prunable(attention, biases=True)) == expected


def test_what_stays_dense_is_listed() -> None:
    net = nn.ModuleDict(
        {
            "embed": nn.Embedding(5, 4),
            "lstm": nn.LSTM(4, 3),
            "norm": nn.LayerNorm((2, 3)),
            "bilinear": nn.Bilinear(2, 2, 3),
            "conv": nn.Conv1d(3, 2, 1),
        }
    )
    expected = {"embed.weight": 20, "lstm.weight_ih_l0": 48, "lstm.weight_hh_l0": 36}
    assert unpruned(net) == {**expected, "norm.weight": 6, "norm.bias": 6, "bilinear.weight": 12}


def test_a_tied_weight_is_pruned_under_the_name_that_the_network_gives_it() -> None:
    """`named_parameters`, the optimizer's state and checkpoints know it by its first name only."""
    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    net[1].weight = net[0].weight
    assert list(prunable(net)) == ["0.weight"]
    assert not unpruned(net)


HIDDEN: dict[str, Callable[[nn.Module], object]] = {
    "spectral_norm": nn.utils.spectral_norm,
    "weight_norm": nn.utils.weight_norm,
    "parametrized spectral_norm": parametrizations.spectral_norm,
    "parametrized weight_norm": parametrizations.weight_norm,
    "orthogonal": parametrizations.orthogonal,
    "torch's pruning": lambda layer: prune.random_unstructured(layer, "weight", 0.5),
}


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_layer_that_computes_its_weight_is_refused_not_left_dense(name: str) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    HIDDEN[name](net[2])
    with pytest.raises(UserError, match=r"layer '2' \(.*Linear\) computes its weight from other parameters"):
        prunable(net)


def test_a_fixed_weight_is_no_parameter() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    del net[0].weight
    net[0].register_buffer("weight", torch.ones(3, 3))
    assert list(prunable(net)) == ["1.weight"]


def test_a_lazy_layer_is_named() -> None:
    with pytest.raises(UserError, match=r"layer '0' \(LazyLinear\) is lazy"):
        prunable(nn.Sequential(nn.LazyLinear(3)))
