"""Initialisations: the distribution that each name promises, paired draws, other people's modules."""

import hashlib
from collections.abc import Sequence
from math import sqrt

import pytest
import torch
from scipy import stats
from torch import nn

from sanity.errors import UserError
from sanity.models import AS_BUILT, AS_BUILT_NONZERO, INITS, build, initialise
from sanity.models.init import Init, Kind, draw

CONV, LINEAR = (48, 32, 3, 3), (100, 400)  # fans: 288 in and 432 out, 400 in and 100 out
CUT = stats.truncnorm(-2, 2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("init", "conv", "linear", "law"),
    [
        ("kaiming_fan_in", sqrt(2 / 288), sqrt(2 / 400), stats.norm),
        ("kaiming_fan_out", sqrt(2 / 432), sqrt(2 / 100), stats.norm),
        ("xavier_normal", sqrt(2 / 720), sqrt(2 / 500), stats.norm),
        ("standard_normal", 1.0, 1.0, stats.norm),
        ("random_normal", 0.1, 0.1, stats.norm),
        ("truncated_normal", 0.1 * CUT.std(), 0.1 * CUT.std(), CUT),
        ("glorot", sqrt(2 / 720), sqrt(2 / 500), CUT),
        ("he", sqrt(2 / 288), sqrt(2 / 400), CUT),
        ("lee2019", sqrt(1 / 288), sqrt(1 / 400), CUT),
        ("lee2019_narrow", sqrt(1 / 288) * CUT.std(), sqrt(1 / 400) * CUT.std(), CUT),
        ("grasp", sqrt(2 / 432), 0.01, stats.norm),
        ("su2020_vgg", sqrt(2 / 288), 0.01, stats.norm),
        ("frankle2021", sqrt(2 / 288), sqrt(2 / 400), stats.norm),
        ("openlth", sqrt(2 / 288), sqrt(2 / 400), stats.norm),
        ("gahaalt2019", sqrt(2 / 720), sqrt(2 / 500), stats.norm),
        ("goyal2017", sqrt(2 / 432), 0.01, stats.norm),
    ],
)
def test_distribution(init: str, conv: float, linear: float, law: stats.rv_continuous) -> None:
    cases: list[tuple[Kind, tuple[int, ...], float]] = [("conv", CONV, conv), ("linear", LINEAR, linear)]
    for kind, shape, std in cases:
        drawn = draw(init, shape, kind, seeded())
        assert drawn.shape == shape
        assert drawn.dtype == torch.float32
        assert stats.kstest(drawn.flatten().double().numpy() / std * law.std(), law.cdf).pvalue > 1e-3


def test_every_registered_initialisation_has_its_distribution_tested() -> None:
    marks = test_distribution.pytestmark  # type: ignore[attr-defined]
    elsewhere = {AS_BUILT, AS_BUILT_NONZERO, "signed_constant", "renda2020"}
    assert {case[0] for case in marks[0].args[1]} == set(INITS.names()) - elsewhere


def test_renda2020_cuts_convolutions_and_not_linear_layers() -> None:
    conv, linear = draw("renda2020", CONV, "conv", seeded()), draw("renda2020", LINEAR, "linear", seeded())
    assert stats.kstest(conv.flatten().double().numpy() * sqrt(288) * CUT.std(), CUT.cdf).pvalue > 1e-3
    assert stats.kstest(linear.flatten().double().numpy() / 0.01, stats.norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("init", ["goyal2017", "renda2020"])
@pytest.mark.parametrize(("model", "end"), [("resnet50", "bn3"), ("resnet18", "bn2"), ("resnet8", "bn2")])
def test_residual_branches_start_at_zero(init: str, model: str, end: str) -> None:
    net = build(model, (3, 8, 8), 4, init=init, generator=seeded())
    scales = {name: part.weight for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)}
    zero = [name for name, scale in scales.items() if not scale.any()]
    assert zero == [name for name in scales if name.startswith("layer") and name.endswith(f".{end}")]
    assert all((scale == 1).all() for name, scale in scales.items() if name not in zero)


def test_a_signed_constant_has_one_magnitude_and_fair_signs() -> None:
    for kind, shape, magnitude in (("conv", CONV, sqrt(2 / 288)), ("linear", LINEAR, sqrt(2 / 400))):
        drawn = draw("signed_constant", shape, kind, seeded())  # type: ignore[arg-type]
        torch.testing.assert_close(drawn.abs(), torch.full(shape, magnitude))
        assert stats.binomtest(int((drawn > 0).sum()), drawn.numel()).pvalue > 1e-3


def test_only_frankle2021_draws_batch_norm_scales() -> None:
    scales = {init: draw(init, (500,), "norm", seeded()) for init in INITS.names()}
    for init in ("frankle2021", "openlth"):
        assert stats.kstest(scales.pop(init).numpy(), "uniform").pvalue > 1e-3
    assert all(torch.equal(scale, torch.ones(500)) for scale in scales.values())


def test_only_openlth_draws_biases_as_torch_does() -> None:
    zero = build("lenet_300_100", (1, 28, 28), 10, init="frankle2021", generator=seeded())
    drawn = build("lenet_300_100", (1, 28, 28), 10, init="openlth", generator=seeded())
    layers = [module for module in drawn.modules() if isinstance(module, nn.Linear)]
    assert all(not parameter.any() for name, parameter in zero.named_parameters() if name.endswith("bias"))
    for layer in layers[:2]:
        bound = layer.in_features**-0.5
        assert stats.kstest(layer.bias.detach().numpy() / bound, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_one_generator_gives_one_network_and_spares_the_global_one() -> None:
    before = torch.get_rng_state()
    first, second = (build("resnet8", (1, 8, 8), 10, generator=seeded(3)).state_dict() for _ in range(2))
    other = build("resnet8", (1, 8, 8), 10, generator=seeded(4)).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_without_a_generator_the_global_seed_decides() -> None:
    def weight(seed: int | None) -> torch.Tensor:
        if seed is not None:
            torch.manual_seed(seed)
        return build("lenet5", (1, 8, 8), 10).get_parameter("0.weight")

    with torch.random.fork_rng(devices=[]):
        assert torch.equal(weight(1), weight(1))
        assert not torch.equal(weight(1), weight(None))


def test_draws_follow_the_order_of_the_parameters() -> None:
    model = build("vgg11", (3, 8, 8), 10, init="frankle2021", generator=seeded(5))
    generator = seeded(5)
    for name, parameter in model.named_parameters():
        if not name.endswith("bias"):
            kind = "norm" if parameter.dim() == 1 else "conv" if parameter.dim() == 4 else "linear"
            assert torch.equal(parameter, draw("frankle2021", parameter.shape, kind, generator)), name  # type: ignore[arg-type]


def test_same_numbers_whatever_the_precision() -> None:
    single, double = build("lenet5", (1, 8, 8), 10), build("lenet5", (1, 8, 8), 10).double()
    initialise(single, "he", seeded())
    initialise(double, "he", seeded())
    assert all(torch.equal(a.double(), b) for a, b in zip(single.parameters(), double.parameters(), strict=True))


def test_everything_learnt_is_forgotten() -> None:
    model = build("resnet8", (1, 8, 8), 10)
    for _ in range(2):
        model(torch.randn(4, 1, 8, 8))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)
    initialise(model, "grasp", seeded())
    assert not any((parameter == 7).any() for parameter in model.parameters())
    state = model.state_dict()
    assert not state["fc.bias"].any()
    assert not state["bn1.bias"].any()
    assert torch.equal(state["bn1.running_mean"], torch.zeros(16))
    assert torch.equal(state["bn1.running_var"], torch.ones(16))
    assert state["bn1.num_batches_tracked"] == 0


class Scaled(nn.Module):
    """A stranger's module: a parameter that only it knows how to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.empty(3))
        self.inner = nn.Linear(3, 3)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.factor, 5, 6)


def test_a_strangers_module_resets_itself_reproducibly() -> None:
    first, second = (nn.Sequential(nn.Conv1d(2, 3, 2), Scaled(), nn.LayerNorm(3)) for _ in range(2))
    before = torch.get_rng_state()
    initialise(first, "random_normal", seeded())
    initialise(second, "random_normal", seeded())
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    factor = first.get_parameter("1.factor").detach().clone()
    assert 5 <= factor.min() <= factor.max() < 6
    assert not first.get_parameter("1.inner.bias").any()
    initialise(first, "random_normal", seeded(1))
    assert not torch.equal(factor, first.get_parameter("1.factor"))


def test_attention_resets_itself() -> None:
    attention = nn.MultiheadAttention(8, 2)
    nn.init.constant_(attention.in_proj_weight, 7.0)
    initialise(attention, "he", seeded())
    assert not (attention.in_proj_weight == 7).any()
    edge = sqrt(6 / (8 + 24))  # of torch's own Glorot distribution, whatever the init
    assert 0.9 * edge < attention.in_proj_weight.abs().max() <= edge


def test_tied_weights_are_drawn_once() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    initialise(nn.Sequential(first, second), "standard_normal", seeded())
    assert torch.equal(first.weight, draw("standard_normal", (4, 4), "linear", seeded()))


def test_a_parameter_that_nobody_can_draw_is_named() -> None:
    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(3))

    with pytest.raises(UserError, match=r"'1\.token': Token has no reset_parameters"):
        initialise(nn.Sequential(nn.Identity(), Token()), "he", seeded())


def test_a_reset_that_leaves_a_parameter_as_it_was_is_noticed() -> None:
    class Half(Scaled):
        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(3))

    with pytest.raises(UserError, match=r"'0\.shift': reset_parameters\(\) of Half leaves it as it was"):
        initialise(nn.Sequential(Half()), "he", seeded())


def test_a_parent_may_reset_what_its_children_cannot() -> None:
    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(3))

    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.child, self.fc = Token(), nn.Linear(3, 3)

        def reset_parameters(self) -> None:
            nn.init.normal_(self.child.token)

    parent = Parent()
    initialise(parent, "standard_normal", seeded())
    assert parent.child.token.all()
    assert torch.isfinite(parent.fc.weight).all()


class Uniform(Init):
    """Whole numbers divided by a power of two: the same on every machine."""

    def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> torch.Tensor:
        return torch.rand(*shape, generator=generator) - 0.5

    def scale(self, shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("lenet_300_100", "88a587ea43b04538"),
        ("lenet5", "f74ac70eb6d43d0e"),
        ("conv4", "417d11147979d2ba"),
        ("resnet8", "d5d70a3bc1c3326e"),
        ("resnet20", "e755efc0bf9c9b23"),
        ("vgg11", "0e0ae52adb31fcb1"),
        ("resnet18", "33876c3329fd778e"),
    ],
)
def test_the_draws_of_our_networks_are_those_of_the_first_version(name: str, digest: str) -> None:
    network = build(name, (3, 8, 8), 5, init=f"{__name__}:Uniform", generator=seeded(7))
    summary = hashlib.sha256()
    for key, value in network.state_dict().items():
        summary.update(key.encode() + value.numpy().tobytes())
    assert summary.hexdigest()[:16] == digest


def test_an_initialisation_that_draws_another_shape_is_named() -> None:
    class Transposed(Uniform):
        def weight(self, shape: Sequence[int], kind: Kind, generator: torch.Generator) -> torch.Tensor:
            return super().weight(shape[::-1], kind, generator)

    globals()["Transposed"] = Transposed
    with pytest.raises(UserError, match=r"Transposed' draws \(192, 300\) for a weight of \(300, 192\)"):
        build("lenet_300_100", (3, 8, 8), 5, init=f"{__name__}:Transposed")
