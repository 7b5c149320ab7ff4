"""The grid: every cell that a run asks for, seed by seed, the control of a method before its checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import checks
import methods
from sanity.config import SECTIONS, RunConfig
from sanity.errors import UserError, unknown

if TYPE_CHECKING:
    from checks.base import Check
    from methods.base import Method

DENSE = "dense"
CONTROL = "none"
_DIGITS = 9  # to which reports tell ratios apart
Options = tuple[tuple[str, Any], ...]


def _label(name: str, options: Options) -> str:
    return f"{name}[{','.join(f'{key}={value}' for key, value in options)}]" if options else name


@dataclass(frozen=True)
class MethodSpec:
    """A method as the grid names it: with a paper's settings, and with options of its own."""

    name: str
    variant: str = ""
    options: Options = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Kept: a grid looks up what it knows of a method a hundred thousand times."""
        return hash((self.name, self.variant, self.options))

    @property
    def label(self) -> str:
        """E.g. `snip@lee2019[biases=never]`."""
        return _label(f"{self.name}@{self.variant}" if self.variant else self.name, self.options)

    def fingerprint(self) -> str:
        """A hash of the method's code where it is not ours."""
        return "" if self.name == DENSE else methods.REGISTRY.fingerprint(self.name)

    def build(self) -> "Method":
        """The method itself. Raises `UserError` for an unknown name, variant, option or value."""
        return methods.get(self.name, self.variant, **dict(self.options))


@dataclass(frozen=True)
class CheckSpec:
    """A check as the grid names it: its parts, each with options of its own."""

    parts: tuple[tuple[str, Options], ...]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.parts)

    @property
    def labels(self) -> list[str]:
        """The parts, e.g. `random_labels` and `random_pixels[channels=together]`."""
        return [_label(name, options) for name, options in self.parts]

    @property
    def label(self) -> str:
        """E.g. `random_labels+random_pixels[channels=together]`."""
        return "+".join(self.labels)

    @property
    def is_control(self) -> bool:
        """Whether nothing is perturbed."""
        return all(name == CONTROL for name, _ in self.parts)

    def build(self) -> "Check":
        """The composed check. A part draws the same whether it stands alone or in company."""
        from checks.base import Composed

        return Composed({name: _part(checks.REGISTRY.load(name), name, options) for name, options in self.parts})

    def part_with(self, *hooks: str) -> "CheckSpec":
        """The parts that override any of these hooks, alone; the control where none does."""
        overriding = [
            (name, options)
            for name, options in self.parts
            if _part(checks.REGISTRY.load(name), name, options).overrides(*hooks)
        ]
        return CheckSpec(tuple(overriding)) if overriding else NO_CHECK

    def data_part(self) -> "CheckSpec":
        """The parts that change what the search sees, alone."""
        return self.part_with("corrupt")

    def data_label(self) -> str:
        """The parts that change what the search sees; empty where it sees the clean data."""
        seen = self.data_part()
        return "" if seen.is_control else seen.label

    def fingerprint(self) -> str:
        """A hash of the code of those parts that are not ours."""
        return "".join(checks.REGISTRY.fingerprint(name) for name, _ in self.parts)


@cache
def _part(cls: "type[Check]", name: str, options: Options) -> "Check":
    from checks.base import from_class

    return from_class(cls, name, dict(options))


@dataclass(frozen=True)
class Cell:
    """One point of the grid; dataset, model and recipe are the run's."""

    method: MethodSpec
    check: CheckSpec
    ratio: float
    seed: int

    @property
    def title(self) -> str:
        """For progress and messages."""
        removed = "" if self.method.name == DENSE else f" {100 * self.ratio:g} % {self.check.label}"
        return f"{self.method.label}{removed} seed {self.seed}"


NO_CHECK = CheckSpec(((CONTROL, ()),))


def cells(config: RunConfig) -> list[Cell]:
    """The cells of a run in the order in which they run: a stop leaves whole tables of fewer seeds.

    Raises `UserError` for unknown names and options, all before anything is computed.
    """
    method_specs = _method_specs(config)
    check_specs = _check_specs(config)
    _check_sections(config, method_specs, check_specs)
    _check_ratios(config.ratio)
    found = []
    for seed, spec in product(config.seeds, method_specs):
        if spec.name == DENSE:
            found.append(Cell(spec, NO_CHECK, 0.0, seed))
        else:
            found += [Cell(spec, check, ratio, seed) for ratio, check in product(config.ratio, check_specs)]
    return found


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
        given = {name for spec in specs if spec.name != DENSE for name in variants(spec.name)}
        raise unknown("variant of these methods", config.variant, given)
    _distinct("methods", [spec.label for spec in specs])
    return specs


def variants(name: str) -> list[str]:
    """The papers whose settings the method has."""
    from methods.presets import variants as presets

    return list(presets(methods.REGISTRY.load(name), name))


def _check_specs(config: RunConfig) -> list[CheckSpec]:
    specs = [NO_CHECK]
    for entry in config.checks:
        checks.get(entry)
        names = [part.strip() for part in entry.split("+") if part.strip() != CONTROL] or [CONTROL]
        choices = [[(name, options) for options in combinations(config.section(name))] for name in names]
        for parts in product(*choices):
            spec = CheckSpec(tuple(parts))
            spec.build()
            if not spec.is_control:
                specs.append(spec)
    _distinct("checks", [spec.label for spec in specs])
    return specs


def combinations(section: Mapping[str, Any]) -> list[Options]:
    """Options with commas stand for several settings: all combinations of their values."""
    values = [value.split(",") if isinstance(value, str) else [value] for value in section.values()]
    return [tuple(zip(section, chosen, strict=True)) for chosen in product(*values)]


def _distinct(key: str, labels: Sequence[str]) -> None:
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated:
        raise UserError(f"{key}: {', '.join(repeated)} would run twice")


def _check_ratios(ratios: Sequence[float]) -> None:
    """Raises `UserError` for ratios that a report would show as one."""
    for number, ratio in enumerate(ratios):
        for earlier in ratios[:number]:
            if round(ratio, _DIGITS) == round(earlier, _DIGITS):
                raise UserError(f"ratio: {earlier!r} and {ratio!r} are the same to {_DIGITS} digits; name one of them")


def _check_sections(config: RunConfig, method_specs: list[MethodSpec], check_specs: list[CheckSpec]) -> None:
    in_grid = {spec.name for spec in method_specs} | {name for spec in check_specs for name, _ in spec.parts}
    for part, given in config.options.items():
        if part in SECTIONS or part in in_grid:
            continue
        option = next(iter(given), "")
        registered = [*methods.REGISTRY.names(), *checks.REGISTRY.names()]
        if part in registered:
            raise UserError(f"{part}.{option}: {part} is neither among the methods nor among the checks of this run")
        raise unknown(f"part in '{part}.{option}'", part, [*SECTIONS, *sorted(in_grid)])
