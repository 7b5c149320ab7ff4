"""Lists the parameters of a network that are pruned, the mask that keeps them all, and the weights that stay dense."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from sanity.errors import UserError

Mask = dict[str, Tensor]
"""Parameter name -> boolean tensor of the weight's shape, true where it is kept."""
_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""Attention's projections of queries, keys and values, which `nn.MultiheadAttention` holds without a layer."""
_BIASES = {"weight": "bias", "in_proj_weight": "in_proj_bias"}


def prunable(model: nn.Module, biases: bool = False) -> dict[str, nn.Parameter]:
    """Returns the weights of all convolutions, linear layers and attention projections, in the order of the modules.

    Convolutions count in one, two or three dimensions, transposed too. Biases, normalisation layers, embeddings and
    recurrent layers do not (`unpruned` lists what stays dense).

    Args:
        model: any module.
        biases: return their biases too, each after its weight, as the code of Lee et al. 2019 has it.

    Returns:
        Parameter name, as `named_parameters` has it -> parameter. A weight that two layers share is listed once, under
        its first name.

    Raises:
        UserError: if the model has no such weight, or a layer computes its weight from other parameters.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights: dict[str, nn.Parameter] = {}
    for prefix, module in model.named_modules():
        for part in _weights_of(prefix, module):
            bias = _BIASES.get(part) if biases else None
            for parameter in (module._parameters[part], module._parameters.get(bias or "")):
                if parameter is not None:
                    weights.setdefault(names[id(parameter)], parameter)
    if not weights:
        raise UserError(f"{type(model).__name__} has no weight of a convolution or linear layer to prune")
    return weights


def dense(model: nn.Module) -> Mask:
    """Returns the mask that keeps every prunable weight."""
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()}


def unpruned(model: nn.Module) -> dict[str, int]:
    """Returns the parameters of two or more dimensions that no mask covers, with their sizes: what stays dense."""
    pruned = {id(parameter) for parameter in prunable(model).values()}
    return {
        name: parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.dim() > 1 and id(parameter) not in pruned
    }


def check_weights_are_parameters(model: nn.Module) -> None:
    """Raises `UserError` if a prunable layer computes its weight from other parameters, or has none yet."""
    for prefix, module in model.named_modules():
        list(_weights_of(prefix, module))


def _weights_of(prefix: str, module: nn.Module) -> Iterator[str]:
    """Yields the names of the prunable parameters that `module` itself holds."""
    for part in ("weight",) if isinstance(module, _ConvNd | nn.Linear) else _PROJECTIONS:
        parameter = module._parameters.get(part)
        if isinstance(parameter, UninitializedParameter):
            raise UserError(
                f"layer '{prefix}' ({type(module).__name__}) is lazy and has no weight before its first use"
            )
        if parameter is not None:
            yield part
        elif _computes(module, part):
            raise UserError(
                f"layer '{prefix}' ({type(module).__name__}) computes its {part} from other parameters (spectral_norm, "
                "weight_norm, another parametrization or torch.nn.utils.prune), so that it cannot be pruned"
            )


def _computes(module: nn.Module, part: str) -> bool:
    """Whether `part` is a tensor made from other parameters, not a buffer."""
    if part not in vars(module) and not hasattr(type(module), part):  # as nearly always; a getattr that fails is slow
        return False
    if parametrize.is_parametrized(module, part):
        return True
    return isinstance(getattr(module, part, None), Tensor)
