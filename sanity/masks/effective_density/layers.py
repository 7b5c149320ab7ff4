"""Passes signals through attention and recurrent layers, which torch computes in one operator."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sanity.masks.effective_density.algebra import (
    Operator,
    as_factor,
    is_signal,
    product,
    sign,
    tensors,
    total,
    weighted,
)
from sanity.masks.effective_density.operators import Arguments, Options, Rule


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Returns the signal of softmax(query key^T) value: scores and values both pass."""
    return _mixed(_scores(query, key), value)


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return _product(query, key.transpose(-2, -1))


def _mixed(scores: Tensor, value: Tensor) -> Tensor:
    return _product(scores, value)


def _product(first: Tensor, second: Tensor) -> Tensor:
    signals = is_signal(first) or is_signal(second)
    return product(torch.matmul, first, second) if signals else as_factor(first) @ as_factor(second)


def scaled_dot_product(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    query, key, value = [*args[:3], *(kwargs[name] for name in ("query", "key", "value") if name in kwargs)]
    if kwargs.get("enable_gqa"):
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    return attention(query, key, value)


def multi_head(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes signals through `nn.MultiheadAttention`: three projections, attention in each head, and the last."""
    query, key, value, _, heads, packed = args[:6]
    out_weight = args[11]
    if kwargs.get("use_separate_proj_weight"):
        weights = [kwargs[f"{part}_proj_weight"] for part in "qkv"]
    else:
        weights = packed.chunk(3)
    parts = [weighted(F.linear, part, weight) for part, weight in zip((query, key, value), weights, strict=True)]
    # (length, batch, features) or (length, features) -> (batch, head, length, features of a head)
    split = [part.unflatten(-1, (heads, -1)).movedim(-2, 0).movedim(1, -2) for part in parts]
    scores = _scores(split[0], split[1])
    mixed = _mixed(scores, split[2]).movedim(-2, 1).movedim(0, -2).flatten(-2)
    needs_weights = kwargs.get("need_weights", True)
    return weighted(F.linear, mixed, out_weight), scores.mean(0) if needs_weights else None


def recurrent(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes signals through LSTM, GRU and plain recurrent layers, to all units of their time step and later ones.

    In two directions all units of one half, and all of both halves where there are several layers. Sequences that are
    packed pass every signal to every step.
    """
    with torch.no_grad():
        outputs, *states = operator(*args, **kwargs)
    signal, start = args[0], total(*(state.mean() for state in tensors(args[1])))
    is_packed = isinstance(args[1], Tensor) and not args[1].is_floating_point()
    if is_packed:
        reached = signal.mean().expand_as(outputs)
        return (reached, *(signal.mean().expand_as(state) for state in states))
    layers, two_ways, time = args[4], args[7], int(args[8])
    steps = signal.mean(-1, keepdim=True)
    everything = sign(steps.sum(time, keepdim=True) + start)
    forward = steps.cumsum(time) + start
    if two_ways:
        backward = steps.flip(time).cumsum(time).flip(time) + start
        halves = (forward, backward) if layers == 1 else (everything, everything)
        width = (*steps.shape[:-1], outputs.shape[-1] // 2)
        reached = torch.cat([half.expand(width) for half in halves], -1)
    else:
        reached = forward.expand_as(outputs)
    ends = everything.squeeze(time)
    return (sign(reached), *(ends.expand_as(state) for state in states))


def recurrent_cell(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    with torch.no_grad():
        states = operator(*args, **kwargs)
    signal = sign(total(*(part.mean(-1, keepdim=True) for part in tensors(args[:2]))))
    return signal.expand_as(states) if isinstance(states, Tensor) else tuple(map(signal.expand_as, states))


LAYERS: dict[str, Rule] = {
    "scaled_dot_product_attention": scaled_dot_product,
    "multi_head_attention_forward": multi_head,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), recurrent_cell),
}
