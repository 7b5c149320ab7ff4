"""Writes `--help`: every key, method, check, model, data set and recipe, without importing torch.

`--help NAME` describes one part and its options.
"""

import dataclasses
import importlib.metadata
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any

import checks
import methods
import reproductions
from reproductions import reference
from sanity import config, data, models, recipes
from sanity.config import options
from sanity.config.engines import RAY, RayOptions
from sanity.config.registry import Registry
from sanity.errors import UserError, unknown

HELP = ("-h", "--help", "help")
REGISTRIES: dict[str, Registry] = {
    "methods": methods.REGISTRY,
    "checks": checks.REGISTRY,
    "models": models.REGISTRY,
    "data sets": data.REGISTRY,
    "initialisations": models.INITS,
}
_KEYS = {"models": "model", "data sets": "dataset"}
"""Parts whose options are prefixed by the key (`model.width`) instead of the part's name."""
_TITLES = {"reproductions": "published tables (reproduction=NAME)", "references": "reference sets (reference=NAME)"}
_FOR = (
    "  recipe.for=  (str)",
    "      the data set as on which it trains, where yours is a copy of it.",
)
_INTRODUCTION = """\
python -m sanity.run KEY=VALUE ...

Finds tickets, perturbs them as the checks say, trains all of them and compares. Lists are commas, checks are composed
with +, options of a part are set by a dot: snip.batch_norm=running recipe.epochs=20 model.width=32. An option with
commas stands for one method (or check) a value. --help NAME shows the options of a method, check, model, data set or
recipe, and describes a published table.

  python -m sanity.run methods=snip,grasp,random ratio=0.9,0.98 checks=random_labels+random_pixels,layerwise_rearrange
"""
_START = """\
python -m sanity.run KEY=VALUE ...    puts pruning methods to checks, on data and a network of your choice

  python -m sanity.run methods=snip checks=layerwise_rearrange ratio=0.98
      does SNIP's ticket depend on which weights it keeps inside a layer? On scikit-learn's digits, in minutes
  the same with dry_run=true: what would be run, and how long it takes
  python -m sanity.run reproductions=list
      published tables, which can be run and compared
  python -m sanity.run --help           every key, method, check, network, data set and recipe
  python -m sanity.run --help NAME      one of them, as in --help snip, --help margin or --help recipe.epochs"""


def version() -> str:
    """Returns the version of the suite, and of torch, which decides on numbers too."""
    names = ("pruning-sanity", "torch")
    return ", ".join(f"{name} {_installed(name)}" for name in names)


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def page(words: Sequence[str]) -> str:
    """Writes what a command line asks for that runs nothing: without words, how to start; else versions, help, tables.

    Raises `UserError` as `about`.
    """
    if not words:
        return _START
    if "--version" in words:
        return version()
    if any(word in HELP for word in words):
        names = [word for word in words if word not in HELP]
        return "\n\n".join(map(about, names)) if names else overview()
    return reference.listing() if "references=list" in words else reproductions.listing()


def overview() -> str:
    """Writes the whole help."""
    parts = [_INTRODUCTION, "keys (type, default)"]
    width = max(len(name) for name, *_ in config.table())
    for name, kind, default, line in config.table():
        parts.append(f"  {name:<{width}}  {line} ({kind}; default {default or 'empty'})")
    for title, lines in _lists().items():
        parts += ["", _TITLES.get(title, title), *lines()]
    return "\n".join(parts)


def _lists() -> dict[str, Callable[[], list[str]]]:
    """Returns for each title the function that lists its names with summaries, one per line (`--help TITLE`)."""

    def listed(registry: Registry) -> list[str]:
        return _aligned((name, registry.summary(name)) for name in registry.names())

    return {
        **{title: partial(listed, registry) for title, registry in REGISTRIES.items()},
        "recipes": lambda: _aligned((name, recipes.summary(name)) for name in recipes.NAMES),
        "reproductions": lambda: [reproductions.listing()],
        "references": lambda: [reference.listing()],
    }


def _aligned(rows: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs)
    return [f"  {name:<{width}}  {line}" for name, line in pairs]


def about(name: str) -> str:
    """Writes the page of a key, method, check, model, data set, initialisation, recipe, published table or an option.

    A page is the docstring, then the options, each with type, bounds, default and meaning. A user's own class is named
    `module:Class`, a library's network `torchvision:NAME` or `timm:NAME`; `methods`, `reproductions` and so on list the
    names; `recipe.epochs` is one option. Raises `UserError` for an unknown name.
    """
    if name.partition(":")[0] in models.LIBRARIES:
        return "\n".join(_page(name, "model", models.REGISTRY.load(name)))
    if "." in name and ":" not in name:
        return _about_option(*name.rsplit(".", 1))
    if ":" in name:
        part = methods.REGISTRY.load(name)
        return "\n".join(_page(name, _owner(name, part), part))
    if name == RAY:
        return "\n".join(_page(name, name, RayOptions))
    if name in config.key_names():
        return "\n".join([*_about_key(name), *(["", *_lists()[name]()] if name in _lists() else [])])
    if name in _lists():
        return "\n".join([name, *_lists()[name]()])
    if name in recipes.NAMES:
        return "\n".join([f"{name}: {recipes.about(name)}", "", *_options("recipe", recipes.get(name)), *_FOR])
    for title, registry in REGISTRIES.items():
        if name in registry.names():
            return "\n".join(_page(name, _KEYS.get(title, name), registry.load(name)))
    if name in options.names(recipes.Recipe):
        return _about_option("recipe", name)
    if name in reproductions.names():
        from reproductions.catalog import about as about_table  # which imports pandas

        return about_table(name)
    if name in reference.names():
        return reference.about(name)
    names = [
        *config.key_names(),
        *(f"recipe.{option}" for option in options.names(recipes.Recipe)),
        *recipes.NAMES,
        *reproductions.names(),
        *reference.names(),
        *(entry for registry in REGISTRIES.values() for entry in registry.names()),
    ]
    raise unknown("name", name, names)


def _about_key(name: str) -> list[str]:
    """Writes type, default and meaning of a key, and where the names that it takes are described."""
    _, kind, default, text = next(row for row in config.table() if row[0] == name)
    several = {key: f"{key}s" for key in ("recipe", "reproduction", "reference")}
    listing = {**{key: title for title, key in _KEYS.items()}, **several}
    further = [f"  --help {listing[name]} lists the names, --help NAME describes one"] if name in listing else []
    return [f"{name}={default}  ({kind})", *_wrapped(text), *further]


def _about_option(owner: str, option: str) -> str:
    """Writes the lines of one option. Raises `UserError` for an unknown part or option."""
    if owner in ("model", "dataset"):
        raise UserError(f"{owner}.{option}: depends on the {owner}; --help NAME of one shows its options")
    page = about("quick" if owner == "recipe" else owner).splitlines()
    starts = {line.split("=")[0].strip(): place for place, line in enumerate(page) if line.startswith(f"  {owner}.")}
    if f"{owner}.{option}" not in starts:
        raise unknown(f"option of {owner}", option, [name.rpartition(".")[2] for name in starts])
    first = starts[f"{owner}.{option}"]
    return "\n".join([page[first].strip(), *takewhile(lambda line: line.startswith(" " * 6), page[first + 1 :])])


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 112, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _owner(name: str, part: type) -> str:
    """Returns the prefix of the options of a user's class. Raises `UserError` if the class is no part of a run."""
    from checks.base import Check  # which imports torch
    from methods.base import Method
    from sanity.data.source import Source
    from sanity.models.base import Model

    for base, owner in {Method: name, Check: name, Model: "model", Source: "dataset"}.items():
        if issubclass(part, base):
            return owner
    raise UserError(f"{name} derives from none of Method, Check, Model and Source")


def _page(name: str, owner: str, part: type) -> list[str]:
    lines = [f"{name}: {_prose(part)}"]
    effects = [f"{title}: {getattr(part, title)}." for title in ("keeps", "destroys") if getattr(part, title, "")]
    lines += ["", *effects] if effects else []
    if options.names(part):
        lines += ["", *_options(owner, part)]
    presets = getattr(part, "variants", {})
    if presets:
        lines += ["", f"a paper's settings ({name}@VARIANT, or variant=VARIANT)"]
        lines += _aligned(
            (variant, " ".join(f"{key}={_shown(value)}" for key, value in settings.items()))
            for variant, settings in presets.items()
        )
    return lines


def _prose(part: type) -> str:
    """Returns the docstring of a class without the lines that explain its options."""
    names = set(options.names(part))
    text = options.ENTRY.sub(
        lambda entry: "" if set(entry[1].split(", ")) <= names else entry[0], inspect.cleandoc(part.__doc__ or "")
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _options(owner: str, of: Any) -> list[str]:
    """Writes two lines per option, the class's own options before inherited ones."""
    part = of if isinstance(of, type) else type(of)
    texts, hints, lines = options.texts(part), options.hints(part), []
    fields = {spec.name: spec for spec in dataclasses.fields(part)}
    own = [name for base in part.__mro__ for name in inspect.get_annotations(base)]
    for name in dict.fromkeys(name for name in own if name in fields and fields[name].init):
        default = _default(fields[name]) if isinstance(of, type) else getattr(of, name)
        required = "; required" * (default is dataclasses.MISSING)
        value = "" if required else _shown(default)
        key = options.key_of(name)
        lines.append(f"  {owner}.{key}={value}  ({config.type_name(hints[name])}{required})")
        if key in texts:
            lines += _wrapped(texts[key])
    return lines


def _default(option: "dataclasses.Field[Any]") -> Any:
    factory = option.default_factory
    return option.default if factory is dataclasses.MISSING else factory()


def _shown(value: Any) -> str:
    """Writes a value as the command line takes it."""
    if isinstance(value, tuple):
        return ",".join(str(element).removesuffix(".0") for element in value)
    return str("null" if value is None else value).lower() if value in (None, True, False) else str(value)
