"""`--help`: every key, and every registered method, check, model, data set and recipe; without importing torch.

`--help NAME` shows one of them with its options.
"""

import dataclasses
import inspect
from collections.abc import Iterable
from typing import Any, get_type_hints

import checks
import methods
import reproductions
from sanity import config, datasets, models, recipes, reproduce
from sanity.errors import unknown
from sanity.registry import Registry

REGISTRIES: dict[str, Registry] = {
    "methods": methods.REGISTRY,
    "checks": checks.REGISTRY,
    "models": models.REGISTRY,
    "data sets": datasets.REGISTRY,
    "initialisations": models.INITS,
}
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
    parts += ["", "published tables (reproduction=NAME)", reproduce.listing()]
    return "\n".join(parts)


def _listed(rows: Iterable[tuple[str, str]]) -> list[str]:
    known = list(rows)
    width = max(len(name) for name, _ in known)
    return [f"  {name:<{width}}  {line}" for name, line in known]


def about(name: str) -> str:
    """The help of one method, check, model, data set, initialisation or recipe: its docstring and its options; or of a
    published table.

    Raises `UserError` for an unknown name.
    """
    if name in recipes.NAMES:
        return f"{name}: {recipes.summary(name)}\n\n" + _options("recipe", recipes.get(name))
    for registry in REGISTRIES.values():
        if name in registry.names():
            found = registry.load(name)
            shown = f"{name}: {inspect.cleandoc(found.__doc__ or '')}\n"
            return shown + ("\n" + _options(name, found) if dataclasses.is_dataclass(found) else "")
    if name in reproductions.names():
        return reproduce.about(name)
    names = [
        *recipes.NAMES,
        *reproductions.names(),
        *(known for registry in REGISTRIES.values() for known in registry.names()),
    ]
    raise unknown("name", name, names)


def _options(owner: str, of: Any) -> str:
    hints = get_type_hints(of if isinstance(of, type) else type(of))
    lines = []
    for spec in dataclasses.fields(of):
        value = spec.default if isinstance(of, type) else getattr(of, spec.name)
        if spec.init and value is not dataclasses.MISSING:
            kind = str(getattr(hints[spec.name], "__name__", hints[spec.name])).replace("typing.", "")
            shown = str(hints[spec.name]).replace("typing.", "") if kind in ("Literal", "Optional", "Union") else kind
            lines.append(f"  {owner}.{spec.name}={value}  ({shown})")
    variants = getattr(of, "variants", {})
    return "\n".join([*lines, *([f"variants: {', '.join(variants)}"] if variants else [])])
