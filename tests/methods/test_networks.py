"""Networks that are not chains of convolutions: attention, tied weights, batch norm without running statistics."""

import pytest
import torch
from torch import Tensor, nn

import methods
from sanity.invariants import nets


@pytest.mark.parametrize("block", ["attention", "encoder"])
@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_networks_with_attention_are_scored_with_second_derivatives(name: str, block: str) -> None:
    """Fused attention has no second derivative."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.fc = nn.Linear(8, 16), nn.Linear(16, nets.CLASSES)
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
            self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.embed(x.flatten(2)[..., :8])
            x = self.attention(x, x, x, need_weights=False)[0] if block == "attention" else self.encoder(x)
            return self.fc(x.mean(1))

    model = Tokens()
    mask = methods.get(name).mask(model, nets.batches(), 0.5)
    assert sum(int(layer.sum()) for layer in mask.values()) == round(0.5 * sum(map(Tensor.numel, mask.values())))


def test_a_weight_that_embedding_and_output_share_is_scored_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.out = nn.Embedding(8, 4), nn.Linear(4, 8, bias=False)
            self.out.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.embed((x.flatten(1)[:, :5] > 0).long()).mean(1))[:, : nets.CLASSES]

    assert list(methods.get("snip").score(Tied(), nets.batches())) == ["embed.weight"]


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
@pytest.mark.parametrize("mode", ["batch", "running"])
def test_batch_norm_without_running_statistics_is_scored_on_batch_statistics(name: str, mode: str) -> None:
    model, other = nets.net("batch_norm"), nets.net("batch_norm")
    for index in (1, 4):
        other[index] = nn.BatchNorm2d(other[index].num_features, track_running_stats=False)  # type: ignore[index,operator]
        with torch.no_grad():
            other.get_parameter(f"{index}.weight").copy_(model.get_parameter(f"{index}.weight"))
            other.get_parameter(f"{index}.bias").copy_(model.get_parameter(f"{index}.bias"))
    without, batch = (
        methods.get(name, batch_norm=how).score(net, nets.batches()) for net, how in ((other, mode), (model, "batch"))
    )
    assert not nets.changed(without, batch)
