"""Builds a network by the name of its model, and draws its weights."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from sanity.config.options import fill
from sanity.errors import UserError, reason
from sanity.models.base import InputShape, Model
from sanity.models.redraw import draw_zeros, initialise
from sanity.models.registry import AS_BUILT, AS_BUILT_NONZERO, REGISTRY
from sanity.prunable import check_weights_are_parameters


def build_by_name(
    name: str,
    input_shape: Sequence[int],
    classes: int,
    options: Mapping[str, Any],
    *,
    init: str | None = None,
    generator: torch.Generator | None = None,
    again: bool = False,
) -> nn.Module:
    """Builds a network; see `sanity.models.build`. With a `generator`, global generators do not change.

    options: the model's, as somebody typed them; one that is called as a parameter of this function is unknown too.
    """
    model: Model = fill(REGISTRY.load_subclass(name, Model), options, f"model {name}")
    shape = _checked(name, model, input_shape, classes)
    if generator is None:
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    with names_the_model(name), _global_generators_seeded(_next_seed(generator)):
        network = _built(name, model.rebuild if again else model.build, shape, classes)
    drawn = init or model.default_init
    with names_the_model(name):
        if drawn == AS_BUILT_NONZERO:
            draw_zeros(network, generator)
        elif drawn != AS_BUILT:
            initialise(network, drawn, generator, keep_as_built=True)
    return network


@contextmanager
def names_the_model(name: str) -> Iterator[None]:
    """Context manager that puts the model's name before the message of a `UserError`."""
    try:
        yield
    except UserError as error:
        prefix = f"model {name}: "
        raise UserError(prefix + str(error).removeprefix(prefix)) from error


def _built(
    name: str, constructor: Callable[[InputShape, int], nn.Module], shape: InputShape, classes: int
) -> nn.Module:
    """Builds the network and materialises its lazy layers. Raises `UserError` for an error in the model's code."""
    call = f"model {name}: {constructor.__name__}(input_shape={tuple(shape)}, classes={classes})"
    try:
        network = constructor(shape, classes)
        if not isinstance(network, nn.Module):
            raise UserError(f"{call} returns {type(network).__name__}, not a torch.nn.Module")
        if any(is_lazy(tensor) for tensor in [*network.parameters(), *network.buffers()]):
            with torch.no_grad():
                network.eval()(torch.zeros(2, *shape))
            network.train()
        check_weights_are_parameters(network)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise UserError(f"{call} fails with {reason(error)}") from error
    return network


def _next_seed(generator: torch.Generator) -> int:
    """Returns a seed that depends on the state of `generator`, without advancing it."""
    twin = torch.Generator()
    twin.set_state(generator.get_state())
    return int(torch.randint(2**62, (), generator=twin))


@contextmanager
def _global_generators_seeded(seed: int) -> Iterator[None]:
    """Context manager that seeds the global CPU generators of torch, numpy and Python; on exit they are as before."""
    numbers, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(numbers)
            np.random.set_state(arrays)


def _checked(name: str, model: Model, input_shape: Sequence[int], classes: int) -> InputShape:
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise UserError(f"model {name}: the input shape must be (channels, height, width), got {tuple(input_shape)}")
    if classes < 2:
        raise UserError(f"model {name}: classes={classes}, but telling classes apart needs at least 2")
    channels, height, width = input_shape
    if min(height, width) < model.smallest_side:
        side = model.smallest_side
        raise UserError(f"model {name}: inputs of {height}x{width} are too small, it needs {side}x{side} or more")
    return channels, height, width
