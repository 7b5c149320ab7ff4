"""Draws all parameters of a network anew, in their order, and resets its buffers."""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from sanity.errors import UserError, reason
from sanity.models.init import Init, Kind, draw, fans, truncated
from sanity.models.registry import INITS
from sanity.prunable import prunable


@torch.no_grad()
def draw_zeros(model: nn.Module, generator: torch.Generator) -> None:
    """Draws the prunable weights that are zero throughout from N(0, 0.02^2), cut off at two deviations."""
    for weight in prunable(model).values():
        if not weight.any():
            weight.copy_(truncated(weight.shape, 0.02, generator))


def kind_of(module: nn.Module) -> Kind | None:
    """Returns the kind of layer that `module` is; None if no rule here draws its parameters."""
    if not module._parameters.keys() <= {"weight", "bias"}:
        return None
    if isinstance(module, _ConvNd):
        return "conv"
    if isinstance(module, nn.Linear):
        return "linear"
    return "norm" if isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm) else None


@torch.no_grad()
def initialise(
    model: nn.Module, init: str, generator: torch.Generator | None = None, keep_as_built: bool = False
) -> None:
    """Redraws every parameter of `model` in place, in the order of `named_parameters`, and resets its buffers.

    Weights of convolutions and linear layers come from `init`, biases are zero, normalisation layers forget their
    running statistics. Any other module resets itself (`reset_parameters`) under a seed drawn from `generator`; torch's
    global generator is left as it was. Attention's packed projections (`in_proj_weight`) are such parameters: whatever
    `init` says, torch's own reset draws them (Glorot's uniform distribution).

    Args:
        generator: None seeds one from torch's global generator.
        keep_as_built: leave parameters for which there is no rule (class tokens, positional embeddings, learned scales)
            as they are: the network has just been built under a seed.

    Raises:
        UserError: for an unknown `init` and, unless `keep_as_built`, for a parameter that nothing redraws.
    """
    if generator is None:
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    drawn: set[int] = set()
    reset: set[int] = set()
    for name, module in model.named_modules():
        kind = kind_of(module)
        if kind is not None:
            _redraw(module, init, kind, generator, drawn)
            continue
        method = next((hook for hook in ("reset_parameters", "_reset_parameters") if hasattr(module, hook)), None)
        if method is not None:
            reset |= _reset(module, method, generator)
        for part, parameter in module.named_parameters(recurse=False):
            if not keep_as_built and id(parameter) not in drawn | reset:
                path, owner = f"{name}.{part}".lstrip("."), type(module).__name__
                cause = f"{method}() of {owner} leaves it as it was" if method else f"{owner} has no reset_parameters()"
                raise UserError(f"cannot redraw parameter '{path}': {cause}")
    INITS.load_subclass(init, Init)().finish(model)


def _redraw(module: nn.Module, init: str, kind: Kind, generator: torch.Generator, drawn: set[int]) -> None:
    for name, parameter in module.named_parameters(recurse=False):
        if id(parameter) in drawn:  # a tied weight is drawn once, for the layer that comes first
            continue
        drawn.add(id(parameter))
        if name == "weight":
            parameter.copy_(draw(init, parameter.shape, kind, generator))
        elif kind == "norm":
            parameter.zero_()
        else:
            distribution: Init = INITS.load_subclass(init, Init)()
            parameter.copy_(
                distribution.bias(parameter.shape, fans(module.get_parameter("weight").shape)[0], generator)
            )
    if isinstance(module, _NormBase):
        module.reset_running_stats()


def _reset(module: nn.Module, method: str, generator: torch.Generator) -> set[int]:
    """Resets `module` by its own method on a CPU copy: equal numbers on any device, no other generator advances.

    Returns the ids of the parameters that it resets: those that were set to NaN before and are not NaN after.
    """
    twin = copy.deepcopy(module).cpu()
    before = dict(module.named_parameters())
    after = dict(twin.named_parameters())
    for parameter in after.values():
        if parameter.is_floating_point():
            parameter.fill_(torch.nan)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        try:
            getattr(twin, method)()
        except Exception as error:  # a user's code may raise anything
            raise UserError(f"{type(module).__name__}.{method}() fails with {reason(error)}") from error
    untouched = [name for name, parameter in after.items() if parameter.isnan().any()]
    for name in untouched:
        after[name].copy_(before[name])
    module.load_state_dict(twin.state_dict())
    return {id(parameter) for name, parameter in before.items() if name not in untouched}
