"""Registers methods, checks, models and data sets by name, including those of other packages' entry points.

Names and summaries are read without importing the named modules, so that `--help` needs no torch.
"""

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sanity.config.source_hash import code_key, qualified_name
from sanity.config.user_file import is_file, load_file
from sanity.errors import UserError, nearest, unknown


class Registry:
    """Maps the names of one kind of part to the `module:object` that defines each.

    of_functions: the `module:function` that makes a class of a plain function; empty where only classes are parts.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, str], of_functions: str = "") -> None:
        self.kind, self.group, self._builtin, self._of_functions = kind, group, dict(builtin), of_functions
        self._words: WeakKeyDictionary[type, str] = WeakKeyDictionary()

    @cached_property
    def _targets(self) -> dict[str, str]:
        third_party = {point.name: point.value for point in entry_points(group=self.group)}
        return third_party | self._builtin

    def names(self) -> list[str]:
        """Lists all names in order of definition, those of this suite first."""
        return [*self._builtin, *(name for name in self._targets if name not in self._builtin)]

    @property
    def is_extended(self) -> bool:
        """Whether other packages that are installed register parts."""
        return len(self._targets) > len(self._builtin)

    def summary(self, name: str) -> str:
        """Returns the first docstring line of the object or its module, from the source without importing it."""
        module, _, attribute = self.target(name).partition(":")
        try:
            spec = importlib.util.find_spec(module)
            tree = ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8")) if spec else ast.Module([], [])
        except (ImportError, OSError, SyntaxError):
            return f"from {module}"
        named = (
            node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute
        )
        documented: list[Any] = [*named, tree]
        return next((text.splitlines()[0] for text in map(ast.get_docstring, documented) if text), f"from {module}")

    def target(self, name: str) -> str:
        """Returns the `module:object` that defines `name`. Raises `UserError` for an unknown name."""
        if name not in self._targets:
            raise unknown(self.kind, name, self._targets)
        return self._targets[name]

    def load(self, name: str) -> Any:
        """Imports the class called `name`. A dotted `module:Class` or `file.py:Class` need not be registered.

        Where the registry takes plain functions, a function becomes a class of its own.
        """
        where = name if ":" in name else self.target(name)
        part = self._imported(name, where)
        cls = part if isinstance(part, type) else self._of_function(part, name, where)
        self._words[cls] = name
        return cls

    def _of_function(self, part: Any, name: str, where: str) -> type:
        if not self._of_functions:
            raise UserError(f"{self.kind} '{name}': {where} is no class")
        if not inspect.isfunction(part):
            raise UserError(f"{self.kind} '{name}': {where} is neither a class nor a function")
        module, _, attribute = self._of_functions.partition(":")
        cls: type = getattr(importlib.import_module(module), attribute)(part, name)
        return cls

    def _imported(self, name: str, where: str) -> Any:
        module, _, attribute = where.rpartition(":")
        if module not in sys.modules:
            importlib.invalidate_caches()  # a file that a notebook has just written is found too
        try:
            loaded = load_file(module) if is_file(module) else importlib.import_module(module)
            part = getattr(loaded, attribute, None)
        except (Exception, SystemExit) as error:  # the import of a user's module may raise anything
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if isinstance(error, SystemExit):
                reason = f"it ends the program (sys.exit({error.code!r}))"
            raise UserError(f"{self.kind} '{name}' cannot be loaded from {where}: {reason}") from error
        if part is None:
            words = {word.lower(): word for word in vars(loaded) if not word.startswith("_")}
            near = nearest(attribute.lower(), words)
            hint = f"; did you mean '{words[near]}'?" if near else ""
            raise UserError(f"{self.kind} '{name}' cannot be loaded from {where}: {module} has no '{attribute}'{hint}")
        return part

    def load_subclass(self, name: str, base: type) -> Any:
        """Imports the class called `name`. Raises `UserError` if it does not derive from `base` or is abstract."""
        cls = self.load(name)
        if not issubclass(cls, base):
            expected = f"{base.__module__}.{base.__name__}"
            raise UserError(f"{self.kind} '{name}' is no class that derives from {expected}")
        if missing := sorted(getattr(cls, "__abstractmethods__", ())):
            raise UserError(f"{self.kind} '{name}' does not define {', '.join(f'{method}()' for method in missing)}")
        return cls

    def fingerprint(self, name: str) -> str:
        """Returns a hash of the source of a user's class, so that results of changed code have other names.

        Empty for this suite's classes in their first version; later versions are named.
        """
        return code_key(self.load(name))

    def name_of(self, cls: type) -> str:
        """Returns the name under which `cls` is registered; `module:Class` if it is not."""
        where = qualified_name(cls)
        return next((name for name, target in self._targets.items() if target == where), where)

    def word_for(self, cls: type) -> str:
        """Returns the word with which the user named `cls`, as in `mine.py:Scaled`; else as `name_of` does."""
        return self._words.get(cls) or self.name_of(cls)
