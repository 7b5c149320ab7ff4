"""`--help`: every key, and every registered method, check, model, data set and recipe; without importing torch.

`--help NAME` shows one of them with its options.
"""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterable
from typing import Any

import checks
import methods
import reproductions
from sanity import config, data, models, options, recipes
from sanity.errors import UserError, unknown
from sanity.registry import Registry

REGISTRIES: dict[str, Registry] = {
    "methods": methods.REGISTRY,
    "checks": checks.REGISTRY,
    "models": models.REGISTRY,
    "data sets": data.REGISTRY,
    "initialisations": models.INITS,
}
_KEYS = {"models": "model", "data sets": "dataset"}
"""Whose options go by the name of a key, whatever part is chosen."""
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


def overview() -> str:
    """The whole help."""
    parts = [_INTRODUCTION, "keys (type, default)"]
    width = max(len(name) for name, *_ in config.table())
    for name, kind, default, line in config.table():
        parts.append(f"  {name:<{width}}  {line} ({kind}; default {default or 'empty'})")
    for title, registry in REGISTRIES.items():
        parts += ["", title, *_listed((name, registry.summary(name)) for name in registry.names())]
    parts += ["", "recipes", *_listed((name, recipes.summary(name)) for name in recipes.NAMES)]
    parts += ["", "published tables (reproduction=NAME)", reproductions.listing()]
    return "\n".join(parts)


def _listed(rows: Iterable[tuple[str, str]]) -> list[str]:
    known = list(rows)
    width = max(len(name) for name, _ in known)
    return [f"  {name:<{width}}  {line}" for name, line in known]


def about(name: str) -> str:
    """The page of one method, check, model, data set, initialisation or recipe: its docstring, then its options, each
    with type, bounds, default and meaning; or of a published table. A class of one's own goes as `module:Class`.

    Raises `UserError` for an unknown name.
    """
    if ":" in name:
        part = methods.REGISTRY.load(name)
        return "\n".join(_page(name, _owner(name, part), part))
    if name in recipes.NAMES:
        return "\n".join([f"{name}: {recipes.about(name)}", "", *_options("recipe", recipes.get(name)), *_FOR])
    for title, registry in REGISTRIES.items():
        if name in registry.names():
            return "\n".join(_page(name, _KEYS.get(title, name), registry.load(name)))
    if name in reproductions.names():
        from reproductions.catalog import about as about_table

        return about_table(name)
    names = [
        *recipes.NAMES,
        *reproductions.names(),
        *(known for registry in REGISTRIES.values() for known in registry.names()),
    ]
    raise unknown("name", name, names)


def _owner(name: str, part: type) -> str:
    """What the options of a class of one's own go by. Raises `UserError` for what is no part of a run."""
    from checks.base import Check
    from methods.base import Method
    from sanity.data.source import Source
    from sanity.models.base import Model

    for base, owner in {Method: name, Check: name, Model: "model", Source: "dataset"}.items():
        if issubclass(part, base):
            return owner
    raise UserError(f"{name} derives from none of Method, Check, Model and Source")


def _page(name: str, owner: str, part: type) -> list[str]:
    lines = [f"{name}: {_prose(part)}"]
    told = [f"{title}: {getattr(part, title)}." for title in ("keeps", "destroys") if getattr(part, title, "")]
    lines += ["", *told] if told else []
    if options.names(part):
        lines += ["", *_options(owner, part)]
    presets = getattr(part, "variants", {})
    if presets:
        lines += ["", f"a paper's settings ({name}@VARIANT, or variant=VARIANT)"]
        lines += _listed(
            (one, " ".join(f"{key}={_shown(to)}" for key, to in set_.items())) for one, set_ in presets.items()
        )
    return lines


def _prose(part: type) -> str:
    """The class's own docstring without what it says of single options."""
    known = options.names(part)
    text = options.ENTRY.sub(
        lambda entry: "" if set(entry[1].split(", ")) <= set(known) else entry[0], inspect.cleandoc(part.__doc__ or "")
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _options(owner: str, of: Any) -> list[str]:
    """Two lines an option, those of the class itself before those that it shares with others."""
    part = of if isinstance(of, type) else type(of)
    known, hints, lines = options.texts(part), options.hints(part), []
    fields = {spec.name: spec for spec in dataclasses.fields(part)}
    own = [name for base in part.__mro__ for name in inspect.get_annotations(base)]
    for name in dict.fromkeys(name for name in own if name in fields and fields[name].init):
        default = _default(fields[name]) if isinstance(of, type) else getattr(of, name)
        required = "; required" * (default is dataclasses.MISSING)
        value = "" if required else _shown(default)
        lines.append(f"  {owner}.{name}={value}  ({config.type_name(hints[name])}{required})")
        if name in known:
            lines.append(textwrap.fill(known[name], 112, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return lines


def _default(option: "dataclasses.Field[Any]") -> Any:
    made = option.default_factory
    return option.default if made is dataclasses.MISSING else made()


def _shown(value: Any) -> str:
    """As the command line takes it."""
    if isinstance(value, tuple):
        return ",".join(str(one).removesuffix(".0") for one in value)
    return str("null" if value is None else value).lower() if value in (None, True, False) else str(value)
