"""Chooses layer counts by name, and computes those of the strongest nulls of random pruning."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, log1p, prod
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from sanity.errors import UserError, unknown
from sanity.masks.allocation import ERK, Allocation, Shapes, SmartRatio, Uniform, budget, fitted

Sizes = dict[str, int]
RuleName = Literal[
    "global",
    "uniform",
    "uniform_first_dense",
    "uniform_plus",
    "erk",
    "er",
    "balanced",
    "pyramidal",
    "igq",
    "layer_rates",
    "smart_ratio",
]
NAMES: tuple[RuleName, ...] = get_args(RuleName)
FROM = "from:"
"""`from:METHOD` names the layer counts of another method's mask."""


def _from_method(value: object) -> str:
    if isinstance(value, str) and value.startswith(FROM) and value != FROM:
        return value
    raise PydanticCustomError("allocation", "should be from:METHOD, as in from:snip")


AllocationName = RuleName | Annotated[str, PlainValidator(_from_method), Field(title="from:METHOD")]
"""The type of an option that names an allocation."""


class ByDensity(Allocation):
    """Shares the budget out by a density for each layer; exact in total, no layer beyond its size."""

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        kept = budget(sum(sizes.values()), ratio)
        return dict(sizes) if kept == sum(sizes.values()) else fitted(self.densities(sizes, kept), sizes, kept)

    @abstractmethod
    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        """Returns the layers' densities where `kept` of all weights, but not all of them, are kept."""


@dataclass(frozen=True)
class UniformFirstDense(ByDensity):
    """The first layer whole, the same density in all others (Evci et al. 2020, RigL: their uniform distribution).

    Their code gives the others the density that is asked for, so that the first layer is kept beside the budget; here
    the total is exact.
    """

    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        first, *others = sizes
        rest = kept - sizes[first]
        if rest < 0:
            raise UserError(
                f"uniform_first_dense keeps layer {first} whole, more than the budget of {kept} weights; set another "
                "allocation or a lower ratio"
            )
        alike = rest / (sum(sizes.values()) - sizes[first]) if others else 0.0
        return {first: 1.0, **dict.fromkeys(others, alike)}


@dataclass(frozen=True)
class UniformPlus(ByDensity):
    """Uniform+ (Gale et al. 2019): the first layer whole, of the last a fifth at least, all others alike.

    The codes of Liu et al. 2022 (Random_Pruning) and of Vysogorets and Kempe 2021 differ in what the others keep: the
    first divides by all weights and so keeps too few at high sparsity and too many at low; here the total is exact.
    """

    last_keep: float = 0.2

    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        first, *middle, last = sizes if len(sizes) > 1 else (*sizes, *sizes)
        if first == last:
            return {first: 1.0}
        rest = kept - sizes[first]
        alike = rest / (sum(sizes.values()) - sizes[first])
        of_last = max(alike, self.last_keep if middle else 0.0)
        left = rest - of_last * sizes[last]
        if left < 0 or rest <= 0:
            raise UserError(
                f"uniform_plus keeps layer {first} whole and {self.last_keep} of {last}, more than the budget of {kept}"
                " weights; set another allocation or a lower ratio"
            )
        body = left / sum(sizes[name] for name in middle) if middle else 0.0
        return {first: 1.0, **dict.fromkeys(middle, body), last: of_last}


@dataclass(frozen=True)
class Balanced(ByDensity):
    """The same number of weights in every layer; smaller layers are whole (Gadhikar et al. 2023).

    Their code (RelationalML/sparse_to_sparse, STR/main.py) leaves it at min(1, N d / (L n)) for a layer of n of the N
    weights in L layers, convolutions alone: what does not fit into the smaller ones is lost. Here the others take it.
    """

    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        return {name: 1 / size for name, size in sizes.items()}


@dataclass(frozen=True)
class Pyramidal(ByDensity):
    """Density p^l in layer l = 1, 2, ... with the p that meets the budget (Gadhikar et al. 2023).

    As in their code (RelationalML/sparse_to_sparse, STR/main.py and ER_DST/sparselearning/core.py): p is the root in
    (0, 1) of sum n_l p^l = N d, layers in module order.
    """

    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        def at(p: float) -> dict[str, float]:
            return {name: p**layer for layer, name in enumerate(sizes, 1)}

        return at(_root(lambda p: _total(at(p), sizes) - kept, 0.0, 1.0))


@dataclass(frozen=True)
class IGQ(ByDensity):
    """Ideal gas quotas (Vysogorets and Kempe 2021): density 1 / (1 + F n) in a layer of n weights, one F for all.

    Layers give way to one pressure F like gas in cylinders of their size; none is ever empty or whole.
    """

    def densities(self, sizes: Sizes, kept: int) -> dict[str, float]:
        def at(log_pressure: float) -> dict[str, float]:
            return {name: 1 / (1 + exp(log_pressure) * size) for name, size in sizes.items()}

        return at(_root(lambda log_pressure: kept - _total(at(log_pressure), sizes), -100.0, 100.0))


@dataclass(frozen=True)
class LayerRates(Allocation):
    """Every round removes one share of every layer's remaining weights, of the last layer half of it.

    Frankle and Carbin 2019: density (1 - rate)^n after n rounds, (1 - rate / 2)^n in the last layer. The ratio says n,
    which need not be whole; exact in total.

    rate: the share that a round removes; None: there is one round, and the ratio says its share.
    of_convolutions: the share that goes of a convolution, as a multiple of `rate` (in their Conv-2 and Conv-4 a half,
        in Conv-6 three quarters).
    """

    rate: float | None = None
    of_convolutions: float = 0.5

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        sizes = {name: prod(shape) for name, shape in shapes.items()}
        total = sum(sizes.values())
        kept = budget(total, ratio)
        multiples = {name: self.of_convolutions if len(shape) > 2 else 1.0 for name, shape in shapes.items()}
        multiples[list(shapes)[-1]] = 0.5
        if self.rate is None:
            share = (total - kept) / _total(multiples, sizes)
            if share * max(multiples.values()) > 1:
                raise UserError(
                    f"layer_rates: one round that removes half as much of the last layer cannot reach ratio={ratio}; "
                    "set removed_per_round for several"
                )
            return fitted({name: 1 - share * multiple for name, multiple in multiples.items()}, sizes, kept)
        kept_a_round = {name: log1p(-self.rate * multiple) for name, multiple in multiples.items()}

        def after(rounds: float) -> dict[str, float]:
            return {name: exp(rounds * kept_of) for name, kept_of in kept_a_round.items()}

        most = log(total) / -max(kept_a_round.values()) + 1
        return fitted(after(_root(lambda rounds: kept - _total(after(rounds), sizes), 0.0, most)), sizes, kept)


@dataclass(frozen=True)
class CountsOfMethod(Allocation):
    """The layer counts of the mask of another method, `allocation=from:METHOD`; known once that mask has been found.

    A run finds it in the same network, for the same ratio and seed, and searches with `CountsOf` the mask.

    method: its name, name@variant or name[option=value,...].
    """

    is_known: ClassVar[bool] = False

    method: str

    def counts(self, shapes: Shapes, ratio: float) -> dict[str, int]:
        raise UserError(
            f"allocation={FROM}{self.method}: a run finds the mask of {self.method} first; by yourself use "
            f"method.allocated(CountsOf.of(mask)) with the mask of {self.method}"
        )


def _total(densities: dict[str, float], sizes: Sizes) -> float:
    return sum(densities[name] * size for name, size in sizes.items())


def _root(rises: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq  # takes a second to import, and few allocations need it

    return float(brentq(rises, low, high, xtol=1e-15, rtol=1e-14))


_RULES: dict[str, Allocation | None] = {
    "global": None,
    "uniform": Uniform(),
    "uniform_first_dense": UniformFirstDense(),
    "uniform_plus": UniformPlus(),
    "erk": ERK(),
    "er": ERK(kernel=False),
    "balanced": Balanced(),
    "pyramidal": Pyramidal(),
    "igq": IGQ(),
    "layer_rates": LayerRates(),
    "smart_ratio": SmartRatio(),
}


def get(allocation: "str | Allocation") -> Allocation | None:
    """Returns the allocation of that name with its defaults; None for `global`, which ranks all layers together."""
    if isinstance(allocation, Allocation):
        return allocation
    if allocation.startswith(FROM):
        return CountsOfMethod(allocation.removeprefix(FROM))
    if allocation not in _RULES:
        raise unknown("allocation", allocation, [*NAMES, f"{FROM}METHOD"])
    return _RULES[allocation]


def name_of(rule: Allocation) -> str:
    """Returns the name of an allocation, whatever its options; that of its class where `get` knows none of the kind."""
    if isinstance(rule, CountsOfMethod):
        return f"{FROM}{rule.method}"
    alike = [name for name, known in _RULES.items() if type(known) is type(rule)]
    return next((name for name in alike if _RULES[name] == rule), alike[0] if alike else type(rule).__name__)
