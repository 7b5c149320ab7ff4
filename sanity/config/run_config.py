"""Defines every key of the command line: type, default, bounds and one line of help.

Arguments are `key=value`; commas separate lists, a dot names the option of a part (`recipe.epochs=10`).
The grammar is not Hydra's. Hydra starts one job per listed value, each in its own folder; here a list spans one grid
whose cells share work. Hydra's values also need quoting in common shells and have neither bounds nor text choices.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field

from sanity.config import options
from sanity.config.decomposition import FAMILY
from sanity.config.engines import RAY, ray_options
from sanity.config.options import expanded
from sanity.config.ranges import LONGEST_RANGE, elements
from sanity.errors import UserError, unknown

Names = tuple[str, ...]
Removed = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
SECTIONS = ("dataset", "model", "recipe")
PATHS = ("data_dir", "results_dir", "report_dir", "log")
AUTO = "auto"
FIRST_SEEDS = (0, 1, 2, 3)  # of every comparison: the fewest with which `design=sequential` finds equivalence
FIRST_SEEDS_OF_LEVELS = (0, 1, 2, 3, 4, 5)  # with fewer, no gap that spreads as usual can be told from zero
LIMITS = ("max_seeds", "max_hours")


NOT_KEYS = ("options", "table_version")
"""Fields of a run that no key of that name sets: dotted keys fill the options, `reproduction` the version."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Holds the keys of one run.

    reproduction: a published table to run, see reproductions=list; other keys narrow it or override its settings
    reference: a reference set, see references=list: with methods, runs these by its settings and seeds and places them
        among its records; without, runs the set itself
    methods: methods; NAME@VARIANT for a paper's settings, dense for the unpruned network
    checks: checks, composed with +, or decompose: what a ticket's counts, degrees, edges, signs and values are worth
        each; the control none is always added
    ratio: fractions of the prunable weights to remove; a range is first:last:step, as in 0.5:0.95:0.05
    match: what the ratio counts: kept weights (counts), or those on a path from input to output (live): control and
        check are then pruned anew until their live weights are equal
    seeds: auto: 4 for every comparison, then more where they decide something; or seeds and ranges of them (0-9; or
        0:10 as in Python), each one replicate of the whole grid
    max_seeds: seeds=auto: the most seeds that a comparison gets
    max_hours: seeds=auto: hours of training and searching that the grid may take in all, whoever runs it
    dataset: data set
    data_dir: where data sets are, or are downloaded to
    model: network
    init: initialisation; empty: the network's own; file:PATH takes weights from a file, NAME+file:PATH redraws by NAME
    recipe: training settings; every field can be overridden: recipe.epochs=10; recipe.for=cifar10: as for CIFAR-10
    variant: the paper whose settings the methods take, where its code has them
    device: auto, cpu, cuda or cuda:N
    precision: of training and testing; scores never in bf16
    deterministic: bit-equal repeats on one machine
    runs_per_device: trainings at a time; auto: as many as pay off. Networks with dropout train one at a time
    engine: local: this process runs the grid; ray: the workers of Ray do, on this machine or a cluster, see --help ray
    results_dir: where results go and what exists is found
    controls: add comparisons whose answer is known: random pruning rearranged, neurons permuted, a mended defect
    report_dir: where the report goes; empty: a folder of its own in results_dir
    outcome: accuracy; barrier: also how far the error rises on the straight line between two trainings of a ticket on
        differently ordered data, and between a ticket with its check and without; trains every ticket twice
    metric: the test accuracy that verdicts are about: of the last or best epoch
    margin: accuracy points within which two tickets count as equivalent; auto: 0.5, but at least six test images, which
        are 1 point of the 597 of digits: one of them is 0.17, and tickets of two seeds differ by about four
    design: fixed: as many seeds as were chosen beforehand; sequential: verdicts hold however often seeds are added;
        auto: sequential with seeds=auto, else fixed
    compare: methods: the report also compares each method with random and magnitude, where these are run; none
    checkpoint_minutes: a training saves its state this often, and at named epochs; 0: after every epoch
    log: file that gets a line of progress for every training
    track: an experiment tracker that gets the curves and densities too, a run for each training (needs its package)
    dry_run: print the cells, what is shared and cached and the hours ahead, by 20 steps; train and fetch nothing
    options: the options of parts, {part: {option: value}}; as keys part.option=value
    table_version: the version of that published table, which records bear; 0 without one
    """

    reproduction: str = ""
    reference: str = ""
    methods: Names = ("grasp",)
    checks: Names = ("layerwise_rearrange",)
    ratio: tuple[Removed, ...] = (0.98,)
    match: Literal["counts", "live"] = "counts"
    seeds: Literal["auto"] | tuple[Seed, ...] = "auto"
    max_seeds: Annotated[int, Field(ge=2, le=LONGEST_RANGE)] = 40
    max_hours: Annotated[float, Field(gt=0)] = 2.0
    dataset: str = "digits"
    data_dir: str = "data"
    model: str = "resnet20"
    init: str = ""
    recipe: str = "quick"
    variant: str = ""
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    deterministic: bool = False
    runs_per_device: Literal["auto"] | Count = "auto"
    engine: Literal["local", "ray"] = "local"
    results_dir: str = "results"
    controls: bool = False
    report_dir: str = ""
    outcome: Literal["accuracy", "barrier"] = "accuracy"
    metric: Literal["last", "best"] = "last"
    margin: Literal["auto"] | Annotated[float, Field(gt=0, le=100)] = "auto"
    design: Literal["auto", "fixed", "sequential"] = "auto"
    compare: Literal["methods", "none"] = "methods"
    checkpoint_minutes: Annotated[float, Field(ge=0)] = 1.0
    log: str = ""
    track: Literal["none", "tensorboard", "wandb", "mlflow"] = "none"
    dry_run: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    table_version: int = 0

    @property
    def first_seeds(self) -> tuple[int, ...]:
        """The seeds that are run in any case."""
        if not isinstance(self.seeds, str):
            return self.seeds
        return (FIRST_SEEDS_OF_LEVELS if FAMILY in self.checks else FIRST_SEEDS)[: self.max_seeds]

    def overrides(self) -> str:
        """Returns the options of data set, network and recipe and the initialisation, as keys."""
        overridden = {"init": self.init} if self.init else {}
        overridden |= {"match": self.match} if self.match != "counts" else {}
        overridden |= {f"{part}.{name}": value for part in SECTIONS for name, value in self.section(part).items()}
        return " ".join(f"{key}={value}" for key, value in sorted(overridden.items()))

    def section(self, name: str) -> dict[str, Any]:
        """Returns the options that the run sets for one part, such as `recipe` or a method.

        Those of `package.module:find` may also be written find.option=value, unless another part is called `find`.
        """
        return {**self.options.get(self.short_name(name), {}), **self.options.get(name, {})}

    def short_name(self, name: str) -> str:
        """Returns `find` of `package.module:find`; the whole name where another part of the run is called so."""
        short = name.rpartition(":")[2]
        others = {part.strip() for check in self.checks for part in check.split("+")}
        others |= {*SECTIONS, *(method.partition("@")[0] for method in self.methods)}
        return name if short in others else short


def key_names() -> list[str]:
    """Lists every plain key."""
    return [name for name in options.names(RunConfig) if name not in NOT_KEYS]


def table() -> list[tuple[str, str, str, str]]:
    """Lists every plain key with its type, default and help."""
    hints, texts = options.hints(RunConfig), options.texts(RunConfig)
    rows = []
    for spec in dataclasses.fields(RunConfig):
        if spec.name not in NOT_KEYS:
            shown = ",".join(map(str, spec.default)) if isinstance(spec.default, tuple) else str(spec.default)
            rows.append((spec.name, type_name(hints[spec.name]), shown, texts[spec.name]))
    return rows


def type_name(hint: Any) -> str:
    """Writes a type with its bounds for the help: `int >= 1`, `batch|running`, `0 < float < 1,...` for a list."""
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return next((note.title for note in notes if getattr(note, "title", None)), _bounded(type_name(inner), notes))
    if get_origin(hint) in (Union, UnionType):
        return "|".join("null" if member is NoneType else type_name(member) for member in get_args(hint))
    if get_origin(hint) is tuple:
        return f"{type_name(get_args(hint)[0])},..."
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    return str(getattr(hint, "__name__", hint))


def _bounded(name: str, notes: Iterable[Any]) -> str:
    """Adds the bounds in pydantic's annotations to `name`: a single bound after it, two around it."""
    limits = [limit for note in notes for limit in getattr(note, "metadata", ())]
    low, high = (
        next(((limit, key) for limit in limits for key in keys if hasattr(limit, key)), None)
        for keys in (("gt", "ge"), ("lt", "le"))
    )
    after, before = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}, {"gt": "<", "ge": "<="}
    if low and high:
        name = f"{getattr(*low):g} {before[low[1]]} {name}"
    elif low:
        name = f"{name} {after[low[1]]} {getattr(*low):g}"
    return f"{name} {after[high[1]]} {getattr(*high):g}" if high else name


def is_list(key: str) -> bool:
    """Whether the key `key` takes a list."""
    hint = options.hints(RunConfig)[key]
    return any(get_origin(member) is tuple for member in (hint, *get_args(hint)))


def parse(words: Sequence[str]) -> RunConfig:
    """Parses `key=value` words. Raises `UserError` for a malformed word and for an unknown key or value."""
    return from_mapping(pairs(words))


def pairs(words: Sequence[str]) -> dict[str, str]:
    """Splits `key=value` words into a mapping. Raises `UserError` for a malformed word and for a repeated key."""
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f"'{word}' is not key=value; see --help")
        if key in values:
            raise UserError(f"{key} is given twice: {values[key]} and {value}")
        values[key] = value
    return values


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Parses dotted keys: `snip.batches=2` becomes the option `batches` of the part `snip` under "options".

    The part ends at the last dot, since a user's class has dots in its name: `package.module:Check.by=3`.
    Args:
        keys: plain keys, dotted keys, and options that are parsed already, {part: {option: value}}.
    Raises `UserError` if "options" has another form, and for a key without a part or an option.
    """
    parts = keys.get("options", {})
    if not isinstance(parts, Mapping) or not all(isinstance(values, Mapping) for values in parts.values()):
        raise UserError(f"options={parts}: should be {{part: {{option: value}}}}; as a key write part.option=value")
    options = {part: dict(values) for part, values in parts.items()}
    plain = {key: value for key, value in keys.items() if "." not in key and key != "options"}
    for key, value in keys.items():
        if "." in key:
            part, _, option = key.rpartition(".")
            if not part or not option:
                raise UserError(f"{key}={value}: should be part.option=value, as in recipe.epochs=10")
            options.setdefault(part, {})[option] = value
    return {**plain, "options": options}


def from_mapping(settings: Mapping[str, Any]) -> RunConfig:
    """Builds the configuration of a run from keys; lists may be text with commas, dotted keys are options of a part.

    Raises `UserError` for an unknown key and for a bad value.
    """
    plain = nested({key: str(value) if isinstance(value, Path) else value for key, value in settings.items()})
    sections = plain.pop("options")
    plain = {key: _as_list(key, value) for key, value in plain.items()}
    allowed = key_names()
    for key in plain:
        if key not in allowed:
            raise unknown("key", key, allowed)
    plain |= {key: str(expanded(plain[key], key)) for key in PATHS if str(plain.get(key, "")).startswith("~")}
    filled = options.fill(RunConfig, plain, "")
    for key in filter(is_list, allowed):
        values = getattr(filled, key)
        repeated = sorted({value for value in values if values.count(value) > 1}) if values != AUTO else []
        if repeated:
            raise UserError(f"{key}: names {', '.join(map(str, repeated))} twice")
    config = dataclasses.replace(filled, options=sections, design=_design(filled))
    ray_options(config.engine, config.section(RAY))
    return config


def _design(config: RunConfig) -> Literal["fixed", "sequential"]:
    """Returns the design that `auto` stands for. Raises `UserError` for keys that contradict `seeds`."""
    if config.seeds == AUTO:
        if config.design == "fixed":
            raise UserError("design=fixed: with seeds=auto the results decide on the seeds; name them, as in seeds=0-9")
        return "sequential"
    for spec in dataclasses.fields(RunConfig):
        if spec.name in LIMITS and getattr(config, spec.name) != spec.default:
            value = getattr(config, spec.name)
            raise UserError(f"{spec.name}={value:g}: is a limit of seeds=auto, but seeds are named")
    return "sequential" if config.design == "sequential" else "fixed"


def _as_list(key: str, value: Any) -> Any:
    if key not in options.names(RunConfig) or not is_list(key) or (key == "seeds" and value == AUTO):
        return value
    if isinstance(value, str):
        return elements(key, value)
    values = tuple(value) if isinstance(value, Iterable) else (value,)
    if not values:
        raise UserError(f"{key}: the list is empty")
    return values
