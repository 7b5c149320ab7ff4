"""Passes signals through single operators: a rule takes the operator and its arguments and returns the signal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sanity.masks.effective_density.algebra import Operator, as_factor, is_signal, product, tensors, total, weighted

Arguments = Sequence[Any]
Options = Mapping[str, Any]
Rule = Callable[[Operator, Arguments, Options], Any]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PASSING = _words("""relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardtanh hardsigmoid
    sigmoid logsigmoid log_sigmoid tanh softplus softsign tanhshrink softshrink hardshrink threshold exp expm1 exp2 log
    log1p log2 log10 sqrt rsqrt square pow rpow float_power abs absolute neg negative reciprocal sin cos tan asin acos
    atan sinh cosh erf erfc clamp clamp_min clamp_max clip nan_to_num softmax log_softmax softmin gumbel_softmax dropout
    dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout batch_norm layer_norm group_norm
    instance_norm rms_norm local_response_norm normalize""")
SUMS = _words("add sub subtract rsub maximum minimum fmax fmin lerp logaddexp hypot")
PRODUCTS = _words("mul multiply div divide true_divide truediv rdiv rtruediv")
CONTRACTIONS = _words("matmul rmatmul mm bmm mv dot inner outer tensordot einsum")
ADDED_PRODUCTS: dict[str, Operator] = {
    **{"addmm": torch.mm, "addmv": torch.mv, "baddbmm": torch.bmm},
    **{"addcmul": torch.mul, "addcdiv": torch.mul},
}
EXTREMES = _words("""max min amax amin median nanmedian mode prod sort topk kthvalue quantile std var logsumexp norm
    linalg_norm linalg_vector_norm""")
_DIMENSION_AFTER_ANOTHER = _words("topk kthvalue quantile norm linalg_norm linalg_vector_norm")
POOLING = [f"{kind}max_pool{n}d{end}" for kind in ("", "adaptive_") for n in "123" for end in ("", "_with_indices")]
WEIGHED = ["linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in "123")]
CONVERSIONS = _words("to type type_as float double half bfloat16")


def passed(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    return total(*filter(is_signal, tensors(args, kwargs)))


def summed(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    return total(args, kwargs)


def multiplied(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    return product(torch.mul, *_operands(args, kwargs, 2))


def contracted(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    if operator.__name__ == "einsum":
        equation, *operands = args
        listed = operands[0] if isinstance(operands[0], list | tuple) else operands
        return product(lambda *factors: torch.einsum(equation, *factors), *listed)
    return product(operator, *args, **kwargs)


def added_product(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Adds a product to a summand, as `addmm` and the like do."""
    summand, *factors = _operands(args, kwargs, 3)
    inner = ADDED_PRODUCTS[operator.__name__.rstrip("_")]
    return total(summand, product(inner, *factors)) if any(map(is_signal, factors)) else summand


def _operands(args: Arguments, kwargs: Options, count: int) -> list[Any]:
    """Returns the first `count` arguments, then those tensors that were given by name."""
    return [*args[:count], *(value for value in kwargs.values() if isinstance(value, Tensor))]


def gated_halves(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes both halves of a gated linear unit: the values and their gates."""
    signal, *rest = args or [kwargs["input"]]
    return total(*signal.chunk(2, rest[0] if rest else kwargs.get("dim", -1)))


def joined(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Joins signals, as `cat` and `stack` do: a constant that is not zero, such as a class token, counts as input."""
    parts, *rest = args or [kwargs["tensors"]]
    return operator([as_factor(part) for part in parts], *rest, **{k: v for k, v in kwargs.items() if k != "tensors"})


def chosen(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes `where`: both of two signals, as the condition may depend on the input; one signal where it is chosen."""
    condition, *branches = [*args, *kwargs.values()]
    if all(map(is_signal, branches)):
        return total(branches)
    zero = torch.zeros((), dtype=torch.float64, device=condition.device)
    return torch.where(condition, *(branch if is_signal(branch) else zero for branch in branches))


def filled(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    signal, mask = args[0], args[1] if len(args) > 1 else kwargs["mask"]
    return signal.masked_fill(mask, 0)


def padded(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    return operator(*args[:3], **{name: value for name, value in kwargs.items() if name != "value"})


def converted(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    result = operator(*args, **kwargs)
    return args[0] if isinstance(result, Tensor) and result.is_floating_point() else result


def pooled(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes every position of the window through maximum pooling, as through average pooling."""
    name = operator.__name__.removesuffix("_with_indices")
    average = getattr(F, name.replace("max_pool", "avg_pool"))
    if name.startswith("adaptive"):
        signal = average(args[0], args[1] if len(args) > 1 else kwargs["output_size"])
    else:
        order = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        window = {**dict(zip(order, args[1:], strict=False)), **kwargs}
        if window.pop("dilation", 1) not in (1, (1,), (1, 1), (1, 1, 1)):
            raise NotImplementedError("pooling with dilation")
        signal = average(args[0], **{key: window[key] for key in order if window.get(key) is not None})
    return (signal, None) if operator.__name__.endswith("_with_indices") else signal


def any_along(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes all inputs along a dimension to every output: maxima, sorting, norms and the like."""
    signal, *rest = args
    second = rest[0] if rest else kwargs.get("other")
    if isinstance(second, Tensor) and operator.__name__ in ("max", "min"):
        return total(signal, second)
    with torch.no_grad():
        numbers = operator(*args, **kwargs)
    values = numbers if isinstance(numbers, Tensor) else numbers[0]
    position = operator.__name__ in _DIMENSION_AFTER_ANOTHER
    dimension = kwargs.get("dim", rest[position] if len(rest) > position else None)
    same = values.dim() == signal.dim()
    if dimension is None:
        dimension = -1 if same else tuple(range(signal.dim()))
    spread = signal.mean(dimension, keepdim=same).expand(values.shape)
    return spread if isinstance(numbers, Tensor) else type(numbers)((spread, *numbers[1:]))


def weighed(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Passes signals through convolutions and linear layers, without their biases."""
    named = dict(kwargs)
    positional = list(args)
    signal, weight = (positional.pop(0) if positional else named.pop(key) for key in ("input", "weight"))
    named.pop("bias", None)
    return weighted(operator, signal, weight, None, *positional[1:], **named)


def embedded(operator: Operator, args: Arguments, kwargs: Options) -> Any:
    """Starts a signal at an embedding: its output counts as input."""
    return torch.ones_like(operator(*args, **kwargs), requires_grad=True)


RULES: dict[str, Rule] = {
    **dict.fromkeys(PASSING, passed),
    **dict.fromkeys(SUMS, summed),
    **dict.fromkeys(PRODUCTS, multiplied),
    **dict.fromkeys(CONTRACTIONS, contracted),
    **dict.fromkeys(ADDED_PRODUCTS, added_product),
    **dict.fromkeys(EXTREMES, any_along),
    **dict.fromkeys(POOLING, pooled),
    **dict.fromkeys(WEIGHED, weighed),
    **dict.fromkeys(CONVERSIONS, converted),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "hstack", "vstack"), joined),
    **dict.fromkeys(("embedding", "embedding_bag"), embedded),
    "glu": gated_halves,
    "where": chosen,
    "masked_fill": filled,
    "pad": padded,
}
MOVING = _words("""view reshape flatten unflatten transpose permute movedim swapaxes squeeze unsqueeze getitem expand
    expand_as repeat repeat_interleave chunk split unbind select narrow index_select gather roll flip contiguous clone
    mean sum cumsum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    pixel_shuffle pixel_unshuffle interpolate unfold fold t mT T len iter setitem tril triu detach channel_shuffle""")
"""Operators that need no rule, since they move or average signals as they do numbers."""
MAKING_SIGNALS = (*WEIGHED, "embedding", "embedding_bag", "multi_head_attention_forward")
"""Operators whose output is a signal even where no input is: what a learned constant is turned into."""
