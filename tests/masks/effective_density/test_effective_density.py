"""Which kept weights lie on a path from input to output: nets whose paths can be drawn on paper."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

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


class Attending(nn.Module):
    """Attention over the rows of an image."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(6, 6), nn.MultiheadAttention(6, 2, batch_first=True)
        self.out, self.end = nn.Linear(6, 3), end

    def forward(self, x: Tensor) -> Tensor:
        rows = self.embed(x.mean(1))
        mixed, _ = self.attention(rows, rows, rows, need_weights=False)
        return self.end(self.out(mixed.mean(1)))


class Gated(nn.Module):
    """Products, differences, maxima and sorted values, all of linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.out = (nn.Linear(*sizes) for sizes in [(36, 6), (36, 6), (36, 6), (6, 3)])

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(1).flatten(1)
        return self.out(self.a(x).sigmoid() * (self.b(x) - self.c(x)).tanh().topk(2, 1).values.sum(1, keepdim=True))


class Waves(nn.Module):
    """Convolutions in one dimension: strided, dilated, grouped, transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(3, 8, 5, stride=2, dilation=2), nn.ConvTranspose1d(8, 6, 3, stride=2, groups=2)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        waves = F.gelu(self.b(F.gelu(self.a(x.flatten(2)))))
        return self.out(F.max_pool1d(waves, 3, 2, 1).amax(-1))


class Factorised(nn.Module):
    """A layer whose matrix is the product of two."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(36, 4, bias=False), nn.Linear(4, 8, bias=False), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out((x.mean(1).flatten(1) @ (self.b.weight @ self.a.weight).T).abs())


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Attending(nn.LogSoftmax(1)),
    "gates": Gated,
    "1-D convolutions": Waves,
    "factorised": Factorised,
}


@pytest.mark.parametrize("ratio", [0.5, 0.8, 0.93])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_weight_that_a_gradient_reaches_is_on_a_path(name: str, ratio: float) -> None:
    torch.manual_seed(0)
    model = FAMILIES[name]()
    for parameter_name, parameter in model.named_parameters():
        if "bias" in parameter_name:  # a bias feeds units that no path reaches
            nn.init.zeros_(parameter)
    mask = allocate({key: torch.rand_like(weight) for key, weight in prunable(model).items()}, ratio)
    live = live_weights(model, mask, (3, 6, 6))
    with torch.no_grad():
        for key, weight in prunable(model).items():
            weight.mul_(mask[key])
    outputs = model(torch.randn(8, 3, 6, 6))
    grads = torch.autograd.grad((outputs * torch.randn_like(outputs)).sum(), list(prunable(model).values()))
    for (key, layer), grad in zip(live.items(), grads, strict=True):
        reached = mask[key] & (grad.abs() > 1e-5 * max(float(grad.abs().max()), 1e-5))
        assert not (reached & ~layer).any(), key


PUBLISHED: dict[str, Callable[[], nn.Module]] = {
    "VisionTransformer": lambda: models.VisionTransformer(16, 4, 1, 2, 16, 16, num_classes=3),
    "Swin": lambda: models.SwinTransformer([2, 2], 8, [1, 1], [1, 1], [2, 2], num_classes=3),
    "ConvNeXt": lambda: models.ConvNeXt([models.convnext.CNBlockConfig(8, None, 2)], num_classes=3),
    "TransformerEncoder": lambda: nn.Sequential(
        nn.Flatten(1, 2),
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 8, batch_first=True), 1),
        nn.Flatten(),
        nn.Linear(768, 3),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.filterwarnings("ignore")
def test_published_transformers_live_entirely_while_unpruned(name: str) -> None:
    torch.manual_seed(0)
    model = PUBLISHED[name]()
    assert effective_density(model, dense(model), (3, 16, 16)) == 1


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


@pytest.mark.parametrize("gate", [lambda x, g: x * g.sigmoid(), lambda x, g: F.glu(torch.cat([x, g], -1))])
@pytest.mark.parametrize("ratio", [0.5, 0.8])
def test_a_gated_layer_has_the_paths_that_gradients_find(gate: Callable[..., Tensor], ratio: float) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value, self.gate = nn.Linear(4, 6), nn.Linear(4, 6)
            self.depthwise, self.out = nn.Conv1d(6, 6, 1, groups=6, bias=False), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            gated = gate(self.value(x.flatten(1)), self.gate(x.flatten(1)))
            return self.out(self.depthwise(gated[..., None]).flatten(1))

    torch.manual_seed(1)
    model = Gated()
    assert not why_unknown(model, (1, 2, 2))
    mask = allocate({key: torch.rand_like(weight) for key, weight in prunable(model).items()}, ratio)
    live = live_weights(model, mask, (1, 2, 2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(mask[name]) if name in mask else parameter.normal_()
    outputs = model(torch.randn(64, 1, 2, 2))
    grads = torch.autograd.grad((outputs * torch.randn_like(outputs)).sum(), list(prunable(model).values()))
    for (name, layer), grad in zip(live.items(), grads, strict=True):
        reached = mask[name] & (grad != 0)
        assert not (reached & ~layer).any(), name


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
