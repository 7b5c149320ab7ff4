"""Measures effective density: how many kept weights lie on a live path from input to output."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sanity.errors import reason
from sanity.masks.effective_density.algebra import InDouble, mark_as_weight
from sanity.masks.effective_density.signals import AllPaths, UnknownOperatorError
from sanity.prunable import Mask, dense, prunable

STATISTICS_ALONE = (
    "no kept weight is on a path; the input reaches the output through statistics of normalisation or softmax, which "
    "are no paths"
)
"""Why `density_of_paths` is None for a mask of a network whose paths are known."""
_REACHED = 1e-12
"""Gradients below this share of the largest are taken for rounding errors (float64)."""


def live_weights(
    model: nn.Module, mask: Mapping[str, Tensor], input_shape: tuple[int, ...], paths: AllPaths | None = None
) -> Mask:
    """Returns the weights of `mask` that lie on a path from an input to an output all of whose weights are kept.

    One forward and one backward pass of the network on signals, by the rules of
    `sanity.masks.effective_density.signals`. A weight that only ever meets padding counts as dead.

    Args:
        model: left as it was.
        mask: parameter name -> boolean tensor.
        input_shape: (C, H, W) of one example.
        paths: notes which operator it met last; None: nobody asks.
    """
    net = copy.deepcopy(model).double().train(False)
    weights = prunable(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1).requires_grad_(False)
        for name, weight in weights.items():
            weight.copy_(mask[name]).requires_grad_(True)
            mark_as_weight(weight)
    device = next(iter(weights.values())).device
    example = torch.ones(1, *input_shape, dtype=torch.float64, device=device, requires_grad=True)
    with torch.autocast(device.type, enabled=False), torch.enable_grad():
        inputs = example.clone()  # not a leaf, so that a network may change it in place
        with paths or AllPaths():
            output = net(inputs)
        grads = torch.autograd.grad(output.sum(), list(weights.values()), allow_unused=True)
    return {
        name: mask[name] & (grad > 0) if grad is not None else torch.zeros_like(mask[name])
        for name, grad in zip(weights, grads, strict=True)
    }


def effective_density(model: nn.Module, mask: Mapping[str, Tensor], input_shape: tuple[int, ...]) -> float | None:
    """Returns live weights over prunable weights, in [0, 1]; None if the network's paths are not known."""
    return density_of_paths(model, mask, input_shape) if paths_are_known(model, input_shape) else None


def density_of_paths(model: nn.Module, mask: Mapping[str, Tensor], input_shape: tuple[int, ...]) -> float | None:
    """Returns live weights over prunable weights for a network whose paths are known.

    None if no weight is on a path and yet the input reaches the output, through the statistics of a normalisation layer
    or of softmax, which are no paths: zero would say that nothing can be learned.
    """
    live = live_weights(model, mask, input_shape)
    if not any(layer.any() for layer in live.values()):
        reached = _reached(model, input_shape, mask)
        if any((mask[name] & layer).any() for name, layer in reached.items()):
            return None
    return sum(int(layer.sum()) for layer in live.values()) / sum(layer.numel() for layer in live.values())


def paths_are_known(model: nn.Module, input_shape: tuple[int, ...]) -> bool:
    """Returns whether the paths of the unpruned network include every weight that a real gradient reaches."""
    return not why_unknown(model, input_shape)


def why_unknown(model: nn.Module, input_shape: tuple[int, ...]) -> str:
    """Returns why the paths of a network are not known; empty where they include every weight that a gradient reaches.

    They are not where `sanity.masks.effective_density.signals` has no rule for an operator that needs one. Then nothing
    can be said of paths under any mask. Costs some passes over two examples; once per network is enough.
    """
    paths = AllPaths()
    try:
        live = live_weights(model, dense(model), input_shape, paths)
    except UnknownOperatorError as error:
        return str(error)
    except Exception as error:  # any network's code may fail in any way on signals
        return f"the network fails on signals, at {paths.last or 'its first operator'}: {reason(error)}"
    reached = _reached(model, input_shape)
    missed = {name: int((layer & ~live[name]).sum()) for name, layer in reached.items()}
    if not any(missed.values()):
        return ""
    layer = max(missed, key=lambda name: missed[name] / reached[name].numel())
    return f"a gradient reaches {missed[layer]} weights of '{layer}' that no path reaches"


def _reached(model: nn.Module, input_shape: tuple[int, ...], mask: Mapping[str, Tensor] | None = None) -> Mask:
    """Returns the weights that have a gradient, for some examples and a weighted sum of the network's outputs.

    mask: prunes the network and takes its biases away, which would feed units that no input reaches.
    """
    net = copy.deepcopy(model).double().train(False)
    weights = {name: weight.requires_grad_(True) for name, weight in prunable(net).items()}
    device = next(iter(weights.values())).device
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if not (name.endswith("bias") or parameter.any()):  # a layer that starts at zero lets no gradient through
                parameter.copy_(torch.randn(parameter.shape, generator=source) / 10)
        if mask is not None:
            for name, parameter in net.named_parameters():
                if name in weights:
                    parameter.mul_(mask[name])
                elif name.endswith("bias"):
                    parameter.zero_()
    examples = torch.rand(2, *input_shape, generator=source, dtype=torch.float64).to(device)
    with torch.autocast(device.type, enabled=False), torch.enable_grad():
        with InDouble():
            output = net(examples)
        shares = torch.randn(output.shape, generator=source, dtype=torch.float64).to(device)
        grads = torch.autograd.grad((output * shares).sum(), list(weights.values()), allow_unused=True)
    sizes = {name: grad.abs() for name, grad in zip(weights, grads, strict=True) if grad is not None}
    largest = max((float(size.max()) for size in sizes.values()), default=0.0)
    return {name: size > _REACHED * largest for name, size in sizes.items()}
