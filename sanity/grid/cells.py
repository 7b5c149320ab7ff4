"""Lists the cells of a run: seed by seed, and for each method the unperturbed control before its checks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import checks
import methods
from sanity.config import SECTIONS, RunConfig, decomposition
from sanity.config.decomposition import FAMILY
from sanity.config.engines import RAY
from sanity.errors import UserError, unknown
from sanity.grid.hashed_once import hashed_once

if TYPE_CHECKING:
    from checks.base import Check
    from methods.base import Method

DENSE = "dense"
CONTROL = "none"
_DIGITS = 9  # decimals to which reports round ratios; ratios that agree to them would look the same
_COMMA = re.compile(r",(?![^\[\]]*\])")
SEARCHING = ("corrupt", "alter", "reallocate", "initialise")
"""The hooks of a check that act on the search; `perturb` acts on its ticket."""
Options = tuple[tuple[str, Any], ...]


def _label(name: str, options: Options) -> str:
    return f"{name}[{','.join(f'{key}={value}' for key, value in options)}]" if options else name


@hashed_once
@dataclass(frozen=True)
class MethodSpec:
    """Specifies a method by name, the paper whose settings it takes (`variant`) and its options."""

    name: str
    variant: str = ""
    options: Options = ()

    @property
    def label(self) -> str:
        """E.g. `snip@lee2019[biases=never]`."""
        return _label(f"{self.name}@{self.variant}" if self.variant else self.name, self.options)

    def fingerprint(self) -> str:
        """Returns a hash of the method's source code; empty for methods of this suite."""
        return "" if self.name == DENSE else methods.REGISTRY.fingerprint(self.name)

    def build(self) -> "Method":
        """Builds the method. Raises `UserError` for an unknown name, variant, option or value."""
        return methods.get(self.name, self.variant, **dict(self.options))


@hashed_once
@dataclass(frozen=True)
class CheckSpec:
    """Specifies a check: the names of its parts, composed with +, and the options of each."""

    parts: tuple[tuple[str, Options], ...]

    @property
    def labels(self) -> list[str]:
        """The labels of the parts, e.g. `random_labels` and `random_pixels[channels=together]`."""
        return [_label(name, options) for name, options in self.parts]

    @property
    def label(self) -> str:
        """E.g. `random_labels+random_pixels[channels=together]`."""
        return "+".join(self.labels)

    @cached_property
    def is_control(self) -> bool:
        """Whether the check is the control, which perturbs nothing."""
        return all(name == CONTROL for name, _ in self.parts)

    def build(self) -> "Check":
        """Builds the composed check. A part draws the same random numbers alone and composed with others."""
        from checks.base import Composed  # which imports torch

        return Composed(self.build_parts())

    def build_parts(self) -> "dict[str, Check]":
        """Builds each part of the check, by name."""
        return {name: _part(checks.REGISTRY.load(name), name, options) for name, options in self.parts}

    def part_with(self, *hooks: str) -> "CheckSpec":
        """Returns the check of only the parts that override any of these hooks; the control if none does."""
        overriding = [
            (name, options)
            for name, options in self.parts
            if _part(checks.REGISTRY.load(name), name, options).overrides(*hooks)
        ]
        return CheckSpec(tuple(overriding)) if overriding else NO_CHECK

    def reference(self) -> MethodSpec | None:
        """Returns the method whose mask the check needs; None if it needs none. Raises `UserError` for a wrong name."""
        name, _, variant = self.build().refers_to().partition("@")
        if not name:
            return None
        spec = MethodSpec(name, variant)
        if spec.build().reads_files:
            raise UserError(f"{self.label}: {name} reads its masks from files; name a method that finds them")
        return spec

    def needs_end(self) -> bool:
        """Whether any part needs the weights at the end of dense training."""
        return any(part.needs_end for part in self.build_parts().values())

    def freezes(self) -> bool:
        """Whether any part leaves pruned weights where they start instead of at zero."""
        return any(part.freezes for part in self.build_parts().values())

    def data_part(self) -> "CheckSpec":
        """Returns the check of only the parts that corrupt the training data of the search."""
        return self.part_with("corrupt")

    def data_label(self) -> str:
        """Returns the label of the parts that corrupt the data of the search; empty if the data are clean."""
        seen = self.data_part()
        return "" if seen.is_control else seen.label

    def fingerprint(self) -> str:
        """Returns a hash of the source code of the parts; empty for checks of this suite."""
        return "".join(checks.REGISTRY.fingerprint(name) for name, _ in self.parts)


@cache
def _part(cls: "type[Check]", name: str, options: Options) -> "Check":
    from checks.base import from_class  # which imports torch

    return from_class(cls, name, dict(options))


@dataclass(frozen=True)
class Cell:
    """One point of the grid. Data set, model and recipe are the same for all cells of a run."""

    method: MethodSpec
    check: CheckSpec
    ratio: float
    seed: int

    @property
    def title(self) -> str:
        """The name of the cell in progress lines and messages."""
        removed = "" if self.method.name == DENSE else f" {100 * self.ratio:g} % {self.check.label}"
        return f"{self.method.label}{removed} seed {self.seed}"


NO_CHECK = CheckSpec(((CONTROL, ()),))


def cells(config: RunConfig) -> list[Cell]:
    """Returns the cells of a run, ordered by seed, so that an interrupted run leaves complete tables of fewer seeds.

    Raises `UserError` for unknown names and options, before anything is computed.
    """
    method_specs = _method_specs(config)
    check_specs = _check_specs(config)
    _check_sections(config, method_specs, check_specs)
    _check_ratios(config.ratio)
    base = _base(config, method_specs)
    all_cells = []
    for seed, spec in product(config.first_seeds, [*base, *method_specs]):
        if spec.name == DENSE:
            all_cells.append(Cell(spec, NO_CHECK, 0.0, seed))
        else:
            perturbed = [NO_CHECK] if spec in base else check_specs
            all_cells += [Cell(spec, check, ratio, seed) for ratio, check in product(config.ratio, perturbed)]
    return all_cells


def _base(config: RunConfig, specs: list[MethodSpec]) -> list[MethodSpec]:
    """Returns random pruning, where a decomposition needs it and it is not among the methods, in their variant."""
    if FAMILY not in config.checks or any(spec.name == decomposition.BASE for spec in specs):
        return []
    named = {spec.variant for spec in specs if spec.name != DENSE} & set(variants(decomposition.BASE))
    return [MethodSpec(decomposition.BASE, named.pop() if len(named) == 1 else "")]


def _method_specs(config: RunConfig) -> list[MethodSpec]:
    specs: list[MethodSpec] = []
    for entry in config.methods:
        name, _, variant = entry.partition("@")
        if name == DENSE:
            specs.append(MethodSpec(DENSE))
            continue
        if ":" not in name and name not in methods.REGISTRY.names():
            raise unknown("method", name, [*methods.REGISTRY.names(), DENSE])
        if not variant and config.variant in variants(name):
            variant = config.variant
        for options in combinations(config.section(name)):
            spec = MethodSpec(name, variant, options)
            spec.build()
            specs.append(spec)
    if config.variant and all(spec.variant != config.variant for spec in specs):
        available = {name for spec in specs if spec.name != DENSE for name in variants(spec.name)}
        raise unknown("variant of these methods", config.variant, available)
    _distinct("methods", [spec.label for spec in specs])
    return specs


def variants(name: str) -> list[str]:
    """Returns the names of the papers whose settings the method offers."""
    from methods.presets import variants as presets  # which imports torch

    return list(presets(methods.REGISTRY.load(name), name))


def _check_specs(config: RunConfig) -> list[CheckSpec]:
    specs = [NO_CHECK]
    for entry in decomposition.expanded(config.checks):
        _check_names(entry)
        names = [part.strip() for part in entry.split("+") if part.strip() != CONTROL] or [CONTROL]
        choices = [[(name, options) for options in combinations(config.section(name))] for name in names]
        for parts in product(*choices):
            spec = CheckSpec(tuple(parts))
            spec.build()
            if not spec.is_control:
                specs.append(spec)
    _distinct("checks", [spec.label for spec in specs])
    return specs


def _check_names(entry: str) -> None:
    """Raises `UserError` for an entry of `checks` that names a check which there is not, or one twice."""
    for part in map(str.strip, entry.split("+")):
        if part == FAMILY:
            raise UserError(f"checks={entry}: {FAMILY} stands for several checks; it is composed with no other by +")
        if ":" not in part and part not in checks.REGISTRY.names():
            raise unknown("check", part, [*checks.REGISTRY.names(), FAMILY])
    checks.get(entry)


def combinations(section: Mapping[str, Any]) -> list[Options]:
    """Returns all combinations of the option values; a text with commas lists several values of an option.

    A comma between brackets, as in `from:synflow[rounds=1,invert=true]`, stays within a value.
    """
    values = [_COMMA.split(value) if isinstance(value, str) else [value] for value in section.values()]
    return [tuple(zip(section, chosen, strict=True)) for chosen in product(*values)]


def _distinct(key: str, labels: Sequence[str]) -> None:
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UserError(f"{key}: {', '.join(repeated)} would run twice")


def _check_ratios(ratios: Sequence[float]) -> None:
    """Raises `UserError` for two ratios that a report would round to the same number."""
    for number, ratio in enumerate(ratios):
        for earlier in ratios[:number]:
            if round(ratio, _DIGITS) == round(earlier, _DIGITS):
                raise UserError(f"ratio: {earlier!r} and {ratio!r} are the same to {_DIGITS} digits; name one of them")


def _check_sections(config: RunConfig, method_specs: list[MethodSpec], check_specs: list[CheckSpec]) -> None:
    in_grid = {spec.name for spec in method_specs} | {name for spec in check_specs for name, _ in spec.parts}
    named = in_grid | {config.short_name(name) for name in in_grid}
    for part, values in config.options.items():
        if part in SECTIONS or part in named or part == RAY:
            continue
        option = next(iter(values), "")
        registered = [*methods.REGISTRY.names(), *checks.REGISTRY.names()]
        if part in registered:
            raise UserError(f"{part}.{option}: {part} is neither among the methods nor among the checks of this run")
        raise unknown(f"part in '{part}.{option}'", part, [*SECTIONS, *sorted(named)])
