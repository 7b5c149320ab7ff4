"""SynFlow where the flow is no sum over paths: refused with the reason, or conserved by its stand-ins."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import methods
from methods.linear_flow import LinearFlow
from methods.scoring_copy import scoring_copy
from methods.synflow import SynFlow
from sanity.errors import UserError
from sanity.masks.effective_density.algebra import mark_as_weight
from sanity.models import build
from sanity.prunable import prunable
from tests.models import constructed, foreign

VIT: dict[str, Any] = {"patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12}
NETWORKS: dict[str, dict[str, Any]] = {
    "torchvision:VisionTransformer": VIT,
    f"{constructed.__name__}:Sequence": {},
    f"{foreign.__name__}:Swin": {},
    f"{foreign.__name__}:ConvNeXt": {},
    "torchvision:mobilenet_v3_small": {},
}
BATCH = [(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64))]


def network(name: str) -> nn.Module:
    """A network of 8 x 8 images without biases."""
    model = build(name, (1, 8, 8), 10, generator=torch.Generator().manual_seed(0), **NETWORKS.get(name, {}))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.mul_(0 if key.endswith("bias") else 1)
    return model


def scores(model: nn.Module, **options: Any) -> dict[str, Tensor]:
    return methods.get("synflow", rounds=1, **options).score(model, BATCH)


@pytest.mark.parametrize("choice", ["paths", "uniform"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_flow_is_linear_in_every_layer_and_what_it_passes_is_its_score(name: str, choice: Any) -> None:
    """R(2w) - R(w) = R(w) - R(0), which is the sum of the scores of w: the flow that would be missing without it."""
    method = SynFlow(nonlinear=choice, rounds=1)
    with scoring_copy(network(name), BATCH, double=True) as (net, batches):
        method.prepare(net, torch.Generator())
        flows = method.saliency(net, batches, torch.Generator())
        chosen = list(prunable(net).items())
        for key, weight in chosen[:: max(len(chosen) // 8, 1)]:
            values, totals = weight.detach().clone(), []
            for factor in (0, 1, 2):
                with torch.no_grad():
                    weight.copy_(values * factor)
                totals.append(float(method._flow(net, batches).detach()))
            with torch.no_grad():
                weight.copy_(values)
            without, once, twice = totals
            assert twice - once == pytest.approx(once - without, rel=1e-9, abs=1e-9 * once), key
            assert float(flows[key].sum()) == pytest.approx(once - without, rel=1e-9, abs=1e-9 * once), key


@pytest.mark.parametrize("choice", ["paths", "uniform"])
def test_what_flows_into_a_unit_flows_out_of_it(choice: str) -> None:
    flows = scores(network("torchvision:VisionTransformer"), nonlinear=choice)
    for layer in (0, 1):
        prefix = f"encoder.layers.encoder_layer_{layer}"
        inwards, outwards = flows[f"{prefix}.mlp.0.weight"], flows[f"{prefix}.mlp.3.weight"]
        torch.testing.assert_close(inwards.sum(1), outwards.sum(0))
        attention = f"{prefix}.self_attention"
        packed, last = flows[f"{attention}.in_proj_weight"], flows[f"{attention}.out_proj.weight"]
        torch.testing.assert_close(packed.sum(), last.sum())
        assert bool(packed[16:].any()), "values"
        assert bool(packed[:16].any()) == (choice == "paths"), "queries and keys"


def test_a_gate_scores_as_its_values_do() -> None:
    flows = scores(network(f"{constructed.__name__}:Sequence"), nonlinear="paths")
    assert 0.2 < float(flows["gate.weight"].sum() / flows["rows.weight"].sum()) < 5


class Does(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.fc, self.function = nn.Linear(64, 10), function

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.function(self.fc(images.flatten(1)))
        return outputs


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (nn.LayerNorm(10), "layer_norm"),
        (nn.Sequential(nn.Unflatten(1, (5, 2)), nn.GroupNorm(1, 5), nn.Flatten()), "group_norm"),
        (nn.Softmax(1), "softmax"),
        (lambda x: x * x.relu(), "mul"),
        (lambda x: x / x.sum(1, keepdim=True), "div"),
        (nn.ReLU6(), "hardtanh"),
        (nn.ReLU(), ""),
        (lambda x: x * torch.arange(10) + x.mean(1, keepdim=True), ""),
    ],
)
def test_what_breaks_paths_is_refused_with_its_name_unless_it_is_replaced(function: Any, operator: str) -> None:
    model = Does(function)
    if not operator:
        assert torch.equal(scores(model)["fc.weight"], scores(model, nonlinear="paths")["fc.weight"])
        return
    with pytest.raises(UserError, match=f"the flow through {operator} of Does is no sum over paths; nonlinear=paths"):
        scores(model)
    with pytest.raises(UserError, match=operator):
        methods.get("synflow").rehearse(model, BATCH)
    assert scores(model, nonlinear="paths")["fc.weight"].sum() > 0


def test_a_product_without_a_stand_in_is_refused() -> None:
    def product(x: Tensor) -> Tensor:
        return torch.addcmul(x, x, x)

    for choice in ("refuse", "paths"):
        with pytest.raises(UserError, match="addcmul"):
            scores(Does(product), nonlinear=choice)


@pytest.mark.parametrize(
    ("layer", "operator"), [(nn.LSTM(10, 10), "lstm"), (nn.GRU(10, 10), "gru"), (nn.RNN(10, 10), "rnn_tanh")]
)
def test_a_recurrent_layer_has_no_stand_in_and_is_refused_in_one_line(layer: nn.Module, operator: str) -> None:
    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Any:
            return self.layer(x)[0]

    model = Does(Outputs())
    with pytest.raises(
        UserError, match=f"the flow through {operator} of Does .* recurrent layers have no linear"
    ) as caught:
        scores(model)
    with pytest.raises(UserError, match=f"SynFlow: there is no linear stand-in for the recurrent layer {operator}"):
        scores(model, nonlinear="paths")
    assert "\n" not in str(caught.value)


def test_an_einsum_averages_where_it_sums() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 3, bias=False), nn.Linear(4, 3, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("ni,nj->nij", self.first(x), self.second(x)).flatten(1)

    net = Mixed().double()
    inputs = torch.ones(2, 4, dtype=torch.float64)
    for parameter in net.parameters():
        parameter.data.abs_()
        mark_as_weight(parameter)
    with LinearFlow(uniform=False):
        output = net(inputs)
    first, second = net.first(inputs), net.second(inputs)
    torch.testing.assert_close(output, ((first[:, :, None] + second[:, None]) / 2).flatten(1))


def test_no_layer_of_a_transformer_collapses() -> None:
    mask = methods.get("synflow", nonlinear="paths").mask(network("torchvision:VisionTransformer"), BATCH, 0.95)
    assert all(layer.any() for layer in mask.values())
