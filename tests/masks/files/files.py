"""Small tickets as others write them."""

import torch
from torch import Tensor, nn

from sanity.masks import Mask, prunable


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 3))


def mask() -> Mask:
    """About half of the weights of `network`."""
    source = torch.Generator().manual_seed(1)
    return {name: torch.rand(weight.shape, generator=source) < 0.5 for name, weight in prunable(network()).items()}


def floats(layers: Mask) -> dict[str, Tensor]:
    return {name: layer.float() for name, layer in layers.items()}


def pruned_by_torch() -> dict[str, Tensor]:
    """The state dict after `torch.nn.utils.prune`: weight_orig and weight_mask."""
    state: dict[str, Tensor] = {}
    for name, value in network().state_dict().items():
        state[f"{name}_orig" if name.endswith("weight") else name] = value
    return state | {f"{name}_mask": layer.float() for name, layer in mask().items()}


def pruned_by_openlth() -> dict[str, Tensor]:
    """`mask_*` with underscores for dots beside `model.*`, the masks sorted by name, as OpenLTH saves them."""
    masks = {f"mask_{name.replace('.', '___')}": layer.float() for name, layer in sorted(mask().items())}
    return masks | {f"model.{name}": value for name, value in network().state_dict().items()}
