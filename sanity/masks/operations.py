"""Counts the floating-point operations of a network's forward pass, layer by layer."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from sanity.config.source_hash import is_ours

_PLAIN = {"torchvision.models.resnet"} | {
    f"torch.nn.modules.{name}"
    for name in (
        *("activation", "batchnorm", "container", "conv", "dropout", "flatten", "instancenorm", "linear"),
        *("normalization", "padding", "pooling"),
    )
}


@dataclass(frozen=True)
class Operations:
    """Operations of one example's forward pass, a multiplication and an addition each counted.

    total: of the whole network. layers: of each convolution and linear layer, by the name of its weight.
    """

    total: int
    layers: Mapping[str, int] = field(default_factory=dict)

    def of_kept(self, mask: Mapping[str, Tensor]) -> float:
        """Returns what is left where a removed weight costs nothing: each layer's share is that of its kept weights.

        mask: parameter name -> bool, true where a weight is kept. No kernel in use skips single weights, so that a
        masked network still takes `total`.
        """
        shares = {name: 1 - float(layer.float().mean()) for name, layer in mask.items() if name in self.layers}
        return self.total - sum(self.layers[name] * removed for name, removed in shares.items())


@torch.no_grad()
def operations(network: nn.Module, input_shape: Sequence[int]) -> Operations:
    """Counts the operations of `network`, which stays as it is, on one example of this shape (C, H, W)."""
    parameter = next(network.parameters())
    net = copy.deepcopy(network).eval()
    count = _of_layers if all(map(_is_plain, net.modules())) else _of_all_products
    examples = torch.zeros(2, *input_shape, device=parameter.device, dtype=parameter.dtype)
    total, by_module = count(net, examples)  # of two: one has no batch statistics
    layers = {
        f"{name}.weight".lstrip("."): by_module[name] // 2
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear | _ConvNd) and name in by_module
    }
    return Operations(total // 2, layers)


def _is_plain(module: nn.Module) -> bool:
    """Whether a module multiplies nothing but in the convolutions and linear layers inside, as our networks do."""
    if isinstance(module, nn.Bilinear | nn.MultiheadAttention | _ConvTransposeNd):
        return False
    return is_ours(type(module)) or type(module).__module__ in _PLAIN


def _of_layers(net: nn.Module, inputs: Tensor) -> tuple[int, dict[str, int]]:
    """Counts in the layers of a network all of whose modules are plain. Returns the sum, and the number by module.

    torch's counter gives the same numbers, but imports its compiler and Triton: 190 MB and 2 s.
    """
    by_module: Counter[str] = Counter()

    def count(name: str, layer: nn.Module, _inputs: object, output: Tensor) -> None:
        by_module[name] += 2 * output.numel() * cast(Tensor, layer.weight)[0].numel()

    for name, layer in net.named_modules():
        if isinstance(layer, nn.Linear | _ConvNd):
            layer.register_forward_hook(partial(count, name))
    net(inputs)
    return by_module.total(), by_module


def _of_all_products(net: nn.Module, inputs: Tensor) -> tuple[int, dict[str, int]]:
    """Counts every product of matrices, those outside of layers included, as in attention."""
    from torch.utils.flop_counter import FlopCounterMode  # imports torch's compiler parts, which few networks need

    with FlopCounterMode(display=False) as counter:
        net(inputs)
    counts = counter.get_flop_counts()
    return counter.get_total_flops(), {path.partition(".")[2]: sum(of.values()) for path, of in counts.items()}
