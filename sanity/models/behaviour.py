"""Measures a network's behaviour on a batch by running it: layer types do not say what `forward` does."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_EXAMPLES = 8
"""Examples that `mixes_examples` compares: few, since chunks are there to save memory."""
_ROUNDING = 0.4
"""Exponent of the machine epsilon below which a relative difference counts as rounding: 1.7e-3 in float32."""


def uses_global_rng(net: nn.Module, input_shape: Sequence[int]) -> bool:
    """Returns whether a pass of `net` in training draws from torch's global generator, as dropout does.

    input_shape: (C, H, W) of one example. The network and the generator are left as they were.
    """
    net = copy.deepcopy(net).cpu().train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = torch.get_rng_state()
        net(torch.zeros(2, *input_shape))
        return not torch.equal(before, torch.get_rng_state())


def mixes_examples(net: nn.Module, examples: Tensor) -> bool:
    """Returns whether an example's output or gradient depends on the rest of its batch, as with batch statistics.

    Then a batch must not be cut into chunks. The network is run in the mode that it is in; it and the random states are
    left as they were. A network whose output is random, or that does not run on part of a batch, counts as mixing.
    examples: (N, C, H, W), normalised, of which the first few are used.
    """
    examples = examples[:_EXAMPLES]
    if len(examples) < 2:
        return False
    middle = len(examples) // 2
    net = copy.deepcopy(net)
    with torch.random.fork_rng(devices=[examples.device] if examples.is_cuda else []), torch.enable_grad():
        whole, whole_gradients = outputs_and_gradients(net, examples, 0)
        try:
            first, first_gradients = outputs_and_gradients(net, examples[:middle], 0)
            second, second_gradients = outputs_and_gradients(net, examples[middle:], middle)
        except (RuntimeError, ValueError):  # a fixed batch size, or too few examples for batch statistics
            return True
    gradients = [first_gradients[name] + second_gradients[name] for name in whole_gradients]
    outputs = torch.cat([first, second])
    return not (agree([outputs], [whole]) and agree(gradients, list(whole_gradients.values())))


def outputs_and_gradients(net: nn.Module, examples: Tensor, start: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the outputs, and the gradients of a sum of them in which each example has a weight of its own.

    The gradients show what the outputs do not, such as mixing behind a scale that starts at zero.
    start: the number of the first example, so that its weight is the same in parts of a batch.
    """
    outputs: Tensor = net(examples)
    of_example = torch.arange(1 + start, 1 + start + len(outputs), device=outputs.device, dtype=outputs.dtype)
    of_class = torch.arange(1, 1 + outputs[0].numel(), device=outputs.device, dtype=outputs.dtype).cos()
    loss = (outputs.flatten(1) * of_example[:, None] * of_class).sum()
    parameters = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    if not loss.requires_grad:
        return outputs, {}
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    pairs = zip(parameters.items(), gradients, strict=True)
    return outputs.detach(), {
        name: torch.zeros_like(parameter) if gradient is None else gradient for (name, parameter), gradient in pairs
    }


def agree(values: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    """Returns whether each of `values` is the expected tensor but for rounding.

    The bound is relative to the tensor's norm and, for a gradient that is zero but for rounding (of a bias whose shift
    cancels), to a thousandth of the norm of all.
    """
    norms = [float(torch.linalg.vector_norm(tensor.double())) for tensor in expected]
    floor = 1e-3 * math.hypot(*norms)
    return all(
        float(torch.linalg.vector_norm((value - tensor).double()))
        <= torch.finfo(tensor.dtype).eps ** _ROUNDING * (norm + floor)
        for value, tensor, norm in zip(values, expected, norms, strict=True)
    )
