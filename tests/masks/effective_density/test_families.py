"""Attention, gates, convolutions in one dimension: what gradients reach is on a path, and unpruned all is."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from sanity.masks import allocate, dense, prunable
from sanity.masks.effective_density import effective_density, live_weights, why_unknown


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
