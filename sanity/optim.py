"""The recipe's optimizer in its fastest form, which touches every tensor in one fused pass."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sanity.recipes import Recipe


def make(recipe: Recipe, module: nn.Module, device: torch.device, stacked: bool = False) -> torch.optim.Optimizer:
    """The optimizer of `recipe` for `module`, whose parameters have one dimension more where they are `stacked`.

    On CUDA the learning rate is a tensor, so that a captured step can read it.
    """
    cuda = device.type == "cuda"
    lr = torch.tensor(recipe.lr, device=device) if cuda else recipe.lr
    groups = _groups(recipe, module, stacked)
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=lr, fused=True, capturable=cuda)
        case "adamw":
            return torch.optim.AdamW(groups, lr=lr, fused=True, capturable=cuda)
        case _:
            return torch.optim.Adadelta(groups, lr=lr, foreach=True, capturable=cuda)


def _groups(recipe: Recipe, module: nn.Module, stacked: bool) -> list[dict[str, object]]:
    """Parameters with and without weight decay: vectors are biases and batch norm (a stack has one dimension more)."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    matrix = 2 + stacked
    decayed = [p for p in trainable if recipe.decay_norm or p.ndim >= matrix]
    spared = [p for p in trainable if not recipe.decay_norm and p.ndim < matrix]
    groups = ((decayed, recipe.weight_decay), (spared, 0.0))
    return [{"params": params, "weight_decay": decay} for params, decay in groups if params]


def set_rate(optimizer: torch.optim.Optimizer, lr: float | Tensor) -> None:
    """The learning rate of the next step; a tensor is copied on the device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].copy_(lr) if isinstance(lr, Tensor) else group["lr"].fill_(lr)
        else:
            group["lr"] = float(lr)


def state(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """The optimizer's tensors, by `key/parameter name`; empty before the first step."""
    return {
        f"{key}/{name}": value
        for name, parameter in module.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load(optimizer: torch.optim.Optimizer, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what `state` gave, in each parameter's own memory format."""
    parameters = dict(module.named_parameters())
    for label, tensor in tensors.items():
        key, _, name = label.partition("/")
        parameter = parameters[name]
        like = (
            torch.empty_like(parameter)
            if tensor.shape == parameter.shape
            else torch.empty_like(tensor, device=parameter.device)
        )
        optimizer.state[parameter][key] = like.copy_(tensor)
