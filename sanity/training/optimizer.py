"""Builds the recipe's optimizer in its fastest form, which updates all tensors in one fused kernel."""

import inspect
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from sanity.recipes import Recipe

NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

BIASES = ("bias", "in_proj_bias", "bias_k", "bias_v")


class _Uncompiled(torch.optim.Optimizer):
    """Calls the functions of an optimizer as they are, without torch's wrappers that keep its compiler away from them.

    The wrappers import the compiler, with SymPy and Triton, where nothing is ever compiled: 157 MB and 1.7 s.
    """

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Takes a step on the gradients that are there."""
        return self._plain_step(closure)

    def _plain_step(self, closure: Any) -> Any:
        raise NotImplementedError


class _SGD(_Uncompiled, torch.optim.SGD):
    _plain_step = inspect.unwrap(torch.optim.SGD.step)


class _Adam(_Uncompiled, torch.optim.Adam):
    _plain_step = inspect.unwrap(torch.optim.Adam.step)


class _AdamW(_Uncompiled, torch.optim.AdamW):
    _plain_step = inspect.unwrap(torch.optim.AdamW.step)


class _Adadelta(_Uncompiled, torch.optim.Adadelta):
    _plain_step = inspect.unwrap(torch.optim.Adadelta.step)


def make_optimizer(
    recipe: Recipe, module: nn.Module, device: torch.device, spared: Collection[str] = ()
) -> torch.optim.Optimizer:
    """Builds the optimizer of `recipe` for `module`; `spared` names the parameters that are not decayed.

    On CUDA the learning rate is a tensor, so that a captured step can read it.
    """
    cuda = device.type == "cuda"
    lr = torch.tensor(recipe.lr, device=device) if cuda else recipe.lr
    groups = _groups(recipe, module, spared)
    match recipe.optimizer:
        case "sgd":
            return _SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
        case "adam":
            return _Adam(groups, lr=lr, betas=recipe.betas, fused=True, capturable=cuda)
        case "adamw":
            return _AdamW(groups, lr=lr, betas=recipe.betas, fused=True, capturable=cuda)
        case _:
            return _Adadelta(groups, lr=lr, foreach=True, capturable=cuda)


def not_decayed(recipe: Recipe, model: nn.Module) -> set[str]:
    """Names the parameters of `model` that the recipe does not decay: of norms, and biases, where it says so."""
    spared = set() if recipe.decay_norm else norm_parameters(model)
    if not recipe.decay_bias:
        spared |= {name for name, _ in model.named_parameters() if name.rpartition(".")[2] in BIASES}
        for prefix, module in model.named_modules():
            names = module.no_weight_decay() if callable(getattr(module, "no_weight_decay", None)) else ()
            spared |= {f"{prefix}.{name}".lstrip(".") for name in names}
    return spared


def norm_parameters(model: nn.Module) -> set[str]:
    """Names the scales and shifts of all normalisation layers."""
    return {
        f"{name}.{part}".lstrip(".")
        for name, module in model.named_modules()
        if isinstance(module, NORMS)
        for part, _ in module.named_parameters(recurse=False)
    }


def scales(model: nn.Module) -> set[str]:
    """Names the scales of all batch norms."""
    return {
        f"{name}.weight".lstrip(".")
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine
    }


def _groups(recipe: Recipe, module: nn.Module, spared: Collection[str]) -> list[dict[str, object]]:
    """Groups the trainable parameters into those with and those without weight decay."""
    trainable = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    groups = (
        ([parameter for name, parameter in trainable.items() if name not in spared], recipe.weight_decay),
        ([parameter for name, parameter in trainable.items() if name in spared], 0.0),
    )
    return [{"params": params, "weight_decay": decay} for params, decay in groups if params]


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float | Tensor) -> None:
    """Sets the learning rate of the next step; a tensor is copied on the device, without waiting for it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].copy_(lr) if isinstance(lr, Tensor) else group["lr"].fill_(lr)
        else:
            group["lr"] = float(lr)


def drop_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Forgets all gradients, at a sixth of the cost of `zero_grad`, which a small network feels at each step."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def optimizer_state(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Returns the optimizer's tensors by `key/parameter name`; they are the optimizer's own, and none before a step."""
    return {
        f"{key}/{name}": value
        for name, parameter in module.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }
