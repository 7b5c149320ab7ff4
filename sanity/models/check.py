"""Checks that a network can be pruned and trained on a data set, before anything is scored."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sanity.errors import UserError, reason
from sanity.models.building import names_the_model
from sanity.prunable import prunable


def check_model(name: str, network: nn.Module, input_shape: Sequence[int], classes: int) -> None:
    """Runs two examples through a freshly built network, in training and in evaluation.

    Args:
        name: the model's, for messages.
        network: on the run's device; changed by this, if it has batch statistics.
        input_shape: (C, H, W) of one example.
        classes: the number of logits that are needed.

    Raises:
        UserError: in one line, if the network holds no float32 weights to prune, keeps a state that is no tensor,
            fails on the examples, or gives something else than logits of shape (2, classes) with a gradient.
    """
    with names_the_model(name):
        prunable(network)
    _check_state(name, network)
    shape = (2, *input_shape)
    for training in (True, False):
        mode = "training" if training else "evaluation"
        try:
            logits = _run(network.train(training), shape)
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            raise UserError(f"model {name}: fails in {mode} on inputs of shape {shape}: {reason(error)}") from error
        _check_logits(f"model {name}: its output in {mode} on inputs of shape {shape}", logits, classes)


def check_draws(name: str, initial: nn.Module, redrawn: nn.Module) -> None:
    """Raises `UserError` where the network that `reinit` draws has the weights of the `initial` one."""
    weights = prunable(redrawn)
    if all(torch.equal(weight, weights[part]) for part, weight in prunable(initial).items()):
        raise UserError(
            f"model {name}: its constructor returns the same weights under every seed; let init=NAME draw them, or "
            "define Model.rebuild"
        )


def _check_state(name: str, network: nn.Module) -> None:
    for key, tensor in network.named_parameters():
        if tensor.dtype != torch.float32:
            precision = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"model {name}: parameter '{key}' is {precision}, but networks are built in float32")
    for key, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            raise UserError(f"model {name}: its state '{key}' is {type(value).__name__}, not a tensor, and is not kept")


def _run(network: nn.Module, shape: tuple[int, ...]) -> object:
    device = next(network.parameters()).device
    examples = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        logits: object = network(examples)
    return logits


def _check_logits(where: str, logits: object, classes: int) -> None:
    if not isinstance(logits, Tensor):
        raise UserError(f"{where} is {type(logits).__name__}, not a tensor of logits")
    if tuple(logits.shape) != (2, classes):
        raise UserError(f"{where} has shape {tuple(logits.shape)}, not (2, {classes}): logits of {classes} classes")
    if logits.dtype != torch.float32:
        raise UserError(f"{where} is {str(logits.dtype).removeprefix('torch.')}, not float32")
    if not logits.requires_grad:
        raise UserError(f"{where} has no gradient")
