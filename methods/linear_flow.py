"""Runs a network so that its output is a sum over paths: what SynFlow's flow takes for granted of ReLU networks.

Attention, normalisation over features, products of signals and saturating activations are not linear: the output is no
sum over paths, the flow into a unit is not the flow out of it, and on an input of ones many of them leave none.
`Watched` notes such operators. `LinearFlow` replaces them, in a network whose parameters are not negative:

- layer, group, instance and RMS norm keep their scale and shift, and take no statistics;
- a product of several signals is the mean of what each passes where the others are one, and a contraction averages
  where it sums: gates, and both products of attention, softmax between them being left out;
- with `uniform`, softmax gives every position the same weight instead, so that only attention's values pass;
- activations, powers and logarithms pass their input, a difference adds its signals, a quotient passes its dividend;
- a constant below zero, such as a mask of attention, adds nothing.

What remains moves, averages and adds signals, or multiplies them with weights. What no weight has met yet is no signal:
the input may be prepared in any way.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sanity.errors import UserError
from sanity.masks.effective_density.algebra import is_signal, is_weight, mark_as_weight, tensors

Operator = Callable[..., Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ATTENTION = _words("scaled_dot_product_attention multi_head_attention_forward")
_NORMS = _words("layer_norm group_norm instance_norm rms_norm")
_SOFTMAX = _words("softmax log_softmax softmin")
_PRODUCTS = _words("mul multiply rmul matmul rmatmul mm bmm mv dot inner outer tensordot einsum glu")
_QUOTIENTS = _words("div divide true_divide truediv")
_WITHOUT_STAND_IN = _words("addcmul addcdiv addmm addmv baddbmm addbmm bilinear cosine_similarity cdist")
RECURRENT = _words("lstm gru rnn_tanh lstm_cell gru_cell rnn_tanh_cell")
_SATURATING = _words("relu6 hardtanh hardsigmoid sigmoid logsigmoid tanh softsign erf clamp clamp_max clip")
_PASSED = _SATURATING | _words("""relu leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish softplus tanhshrink
    softshrink hardshrink threshold exp expm1 log log1p sqrt rsqrt reciprocal square pow abs clamp_min normalize
    local_response_norm log_softmax softmin""")
_SUMS = _words("add radd sub subtract rsub")


class Watched(TorchFunctionMode):
    """Context manager; notes the operators within it whose output is no sum over paths.

    found: their names, in the order in which they were met.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "").strip("_")
        if _breaks_paths(name, args, kwargs):
            self.found[name] = None
        return _marked(function(*args, **kwargs), args, kwargs)


def _breaks_paths(name: str, args: Any, kwargs: Any) -> bool:
    if name == "instance_norm" and not kwargs.get("use_input_stats", True):
        return False  # running statistics are constants
    if name in _ATTENTION | _NORMS | _SOFTMAX | _SATURATING | RECURRENT:
        return any(map(is_signal, tensors(args, kwargs)))
    return name == "glu" or (
        name in _PRODUCTS | _QUOTIENTS | _WITHOUT_STAND_IN and sum(map(is_signal, tensors(args, kwargs))) > 1
    )


def _marked(outputs: Any, args: Any, kwargs: Any) -> Any:
    """Marks what is computed from weights alone, such as their transpose, as weights; all else is a signal."""
    inputs = list(tensors(args, kwargs))
    if inputs and all(map(is_weight, inputs)):
        for output in filter(is_signal, tensors(outputs)):
            mark_as_weight(output)
    return outputs


class LinearFlow(TorchFunctionMode):
    """Context manager; within it the operators that break paths are replaced as the module says.

    uniform: whether attention weighs all positions alike. owner: who asks, for the message of a `UserError`.
    """

    def __init__(self, uniform: bool, owner: str = "SynFlow") -> None:
        super().__init__()
        self.uniform, self.owner = uniform, owner

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        replaced = self._replaced(function, name.strip("_"), args, kwargs)
        if replaced is None:
            return _marked(function(*args, **kwargs), args, kwargs)
        in_place = name.endswith("_") and not name.endswith("__")
        return args[0].copy_(replaced) if in_place and replaced is not args[0] else replaced

    def _replaced(self, function: Operator, name: str, args: Any, kwargs: Any) -> Any:
        """Returns what stands for the output of an operator; None for that output itself."""
        signals = list(filter(is_signal, tensors(args, kwargs)))
        if not signals:
            return None
        if name in _WITHOUT_STAND_IN and len(signals) > 1:
            raise UserError(f"{self.owner}: there is no linear stand-in for a product of signals by {name}")
        if name in RECURRENT:
            raise UserError(f"{self.owner}: there is no linear stand-in for the recurrent layer {name}")
        if name in _ATTENTION:
            return self._attention(*args, **kwargs) if name.startswith("scaled") else self._heads(args, kwargs)
        if name in _NORMS and _breaks_paths(name, args, kwargs):
            return _scaled(name, function, args, kwargs)
        if name == "softmax":
            return torch.ones_like(signals[0]).detach() if self.uniform else signals[0]
        if name == "glu":
            return _mean(torch.mul, *signals[0].chunk(2, args[1] if len(args) > 1 else kwargs.get("dim", -1)))
        if name in _PASSED or (name in _QUOTIENTS and len(signals) > 1):
            return signals[0]
        if name in _PRODUCTS and len(signals) > 1:
            return _mean(function, *args, **kwargs)
        return _sum(*args) if name in _SUMS and len(args) > 1 else None

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, *_: Any, **options: Any) -> Tensor:
        if options.get("enable_gqa"):
            key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
        scores = _mean(torch.matmul, query, key.transpose(-2, -1))
        return _mean(torch.matmul, torch.ones_like(scores).detach() if self.uniform else scores, value)

    def _heads(self, args: Any, kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """Passes `nn.MultiheadAttention`: three projections, attention in each head, and the last projection."""
        given = inspect.signature(F.multi_head_attention_forward).bind(*args, **kwargs).arguments
        if given.get("use_separate_proj_weight"):
            weights = [given[f"{part}_proj_weight"] for part in "qkv"]
        else:
            weights = given["in_proj_weight"].chunk(3)
        packed = given["in_proj_bias"]
        biases = [None] * 3 if packed is None else packed.chunk(3)
        inputs = (given["query"], given["key"], given["value"])
        parts = [F.linear(part, *layer) for part, *layer in zip(inputs, weights, biases, strict=True)]
        # (length, batch, features) or (length, features) -> (batch, head, length, features of a head)
        heads = [part.unflatten(-1, (given["num_heads"], -1)).movedim(-2, 0).movedim(1, -2) for part in parts]
        mixed = self._attention(*heads).movedim(-2, 1).movedim(0, -2).flatten(-2)
        output = F.linear(mixed, given["out_proj_weight"], given["out_proj_bias"])
        if not given.get("need_weights", True):
            return output, None
        return output, _mean(torch.matmul, heads[0], heads[1].transpose(-2, -1)).mean(0)


def _mean(operator: Operator, *factors: Any, **options: Any) -> Tensor:
    """Returns the mean of what each signal passes where the others are one, averaged over the sums of `operator`."""
    places = [place for place, factor in enumerate(factors) if is_signal(factor)]

    def beside(chosen: int | None) -> Tensor:
        beside_ones = (
            torch.ones_like(factor) if is_signal(factor) and place != chosen else factor
            for place, factor in enumerate(factors)
        )
        passed: Tensor = operator(*beside_ones, **options)
        return passed

    if getattr(operator, "__name__", "") == "einsum":
        equation, *operands = factors
        operands = list(operands[0]) if isinstance(operands[0], list | tuple) else operands
        return _mean(lambda *chosen: torch.einsum(equation, *chosen), *operands)
    terms = beside(None).detach().clamp_min(1)
    return torch.stack([beside(place) for place in places]).mean(0) / terms


def _scaled(name: str, function: Operator, args: Any, kwargs: Any) -> Tensor:
    """Returns the input of a normalisation layer times its scale, plus its shift."""
    order = {
        **{"layer_norm": ("input", "normalized_shape", "weight", "bias")},
        **{"rms_norm": ("input", "normalized_shape", "weight"), "group_norm": ("input", "groups", "weight", "bias")},
        **{"instance_norm": ("input", "running_mean", "running_var", "weight", "bias")},
    }[name]
    given = {**dict(zip(order, args, strict=False)), **kwargs}
    signal: Tensor = given["input"]
    by_channel = (-1, *(1,) * (signal.dim() - 2)) if name in ("group_norm", "instance_norm") else None
    scale, shift = (
        part if part is None or by_channel is None else part.view(by_channel)
        for part in (given.get("weight"), given.get("bias"))
    )
    scaled = signal if scale is None else signal * scale
    return scaled if shift is None else scaled + shift


def _sum(*terms: Any) -> Tensor:
    """Returns the sum of all terms; constants below zero add nothing."""
    first, second = (
        term if is_signal(term) or is_weight(term) else torch.as_tensor(term).clamp_min(0) for term in terms[:2]
    )
    return first + second
