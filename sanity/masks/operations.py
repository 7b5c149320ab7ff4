"""Counts the floating-point operations of a network's forward pass, layer by layer."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


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
    from torch.utils.flop_counter import FlopCounterMode  # imports Triton; a start without trainings needs neither

    parameter = next(network.parameters())
    net = copy.deepcopy(network).eval()
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype))
    by_module = {path.partition(".")[2]: sum(counts.values()) for path, counts in counter.get_flop_counts().items()}
    layers = {
        f"{name}.weight".lstrip("."): by_module[name]
        for name, module in net.named_modules()
        if isinstance(module, nn.Linear | _ConvNd) and name in by_module
    }
    return Operations(counter.get_total_flops(), layers)
