"""Hashes the source code behind a class that is not ours, so that edited code never brings back results of the old.

What counts: the module that defines the class (and those of its base classes), and every module that these import,
directly or not, from the same folder or package or from other code that is no installed package. Read from the source
alone, so that the hash does not depend on what else a process has loaded.
"""

import ast
import hashlib
import importlib.util
import inspect
import marshal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

OURS = ("sanity", "methods", "checks", "reports", "reproductions")
_NOT_THEIRS = {*OURS, *sys.stdlib_module_names, "torch", "numpy"} - {"__main__"}
_INSTALLED = tuple({Path(sysconfig.get_paths()[name]).resolve() for name in ("purelib", "platlib", "stdlib")})
_LENGTH = 16


def is_ours(cls: type) -> bool:
    """Whether this suite defines the class."""
    return _package(cls.__module__) in OURS


def qualified_name(cls: type) -> str:
    """The class as `module:Class`."""
    return f"{cls.__module__}:{cls.__qualname__}"


@cache
def source_hash(cls: type) -> str:
    """A hash of the source of `cls` and of its base classes that are not ours; empty where all are ours."""
    bases = [base for base in cls.__mro__ if _package(base.__module__) not in _NOT_THEIRS]
    sources: dict[str, bytes] = {}
    for base in bases:
        sources |= _sources(base.__module__, own=_package(base.__module__) == _package(cls.__module__))
    if bases and not sources:
        sources = _typed_in(bases)
    if len(sources) == 1:
        return hashlib.sha256(next(iter(sources.values()))).hexdigest()[:_LENGTH]
    total = hashlib.sha256()
    for name, content in sorted(sources.items()):
        total.update(f"{name} {len(content)}\0".encode() + content)
    return total.hexdigest()[:_LENGTH] if sources else ""


def version(cls: type) -> int:
    """The version of a method, a check, a network: raised by hand where its results change."""
    number = getattr(cls, "version", 1)
    return number if isinstance(number, int) else 1


def code_key(cls: type) -> str:
    """What names the code of `cls` in stored results: a hash of its source where it is not ours, and its version.

    A first version is not named, so that results that were stored before there were versions stay valid.
    """
    number = version(cls)
    return source_hash(cls) + (f"v{number}" if number != 1 else "")


def _package(module: str) -> str:
    return module.partition(".")[0]


def _typed_in(classes: list[type]) -> dict[str, bytes]:
    """The source of classes that no file defines, as in a notebook; of a function without any, its compiled code."""
    sources = {}
    for cls in classes:
        with suppress(OSError, TypeError):
            sources[qualified_name(cls)] = inspect.getsource(cls).encode()
        function = vars(cls).get("__wrapped__")  # of a class that was made of a function
        if qualified_name(cls) not in sources and inspect.isfunction(function):
            sources[qualified_name(cls)] = marshal.dumps(function.__code__)
    return sources


def _sources(module: str, own: bool) -> dict[str, bytes]:
    """The source of `module` and of the user's modules that it imports, by module name; empty files do not count.

    own: whether it belongs to the package of the class whose code is hashed. Of other installed packages, the file that
    defines a base class counts alone.
    """
    waiting, seen, sources = [module], set(), {}
    while waiting:
        name = waiting.pop()
        if name in seen or _package(name) in _NOT_THEIRS:
            continue
        seen.add(name)
        spec = _found(name)
        path = Path(spec.origin) if spec and spec.origin else None
        if spec is None or path is None or path.suffix != ".py" or not path.is_file():
            continue
        if _is_installed(path) and name != module and not (own and _package(name) == _package(module)):
            continue
        content = _content(name, spec, path)
        if content.strip():
            sources[name] = content
        if own or not _is_installed(path):
            waiting += [*_packages(name), *_imported(content, name, spec)]
    return sources


_loaded_from: dict[str, tuple[ModuleSpec, bytes]] = {}
"""The source of loaded modules by name, beside the spec that they were loaded with; a reload has a new one."""


def _content(name: str, spec: ModuleSpec, path: Path) -> bytes:
    """The source of a module; of a loaded one, as it was first read: an edit counts once the module is reloaded."""
    if getattr(sys.modules.get(name), "__spec__", None) is not spec:
        return path.read_bytes()
    if name not in _loaded_from or _loaded_from[name][0] is not spec:
        _loaded_from[name] = spec, path.read_bytes()
    return _loaded_from[name][1]


def _packages(name: str) -> list[str]:
    """The package of a module, whose own code runs before the module's."""
    return [name.rpartition(".")[0]] if "." in name else []


@cache
def _is_installed(path: Path) -> bool:
    return any(folder in path.resolve().parents for folder in _INSTALLED)


def _found(name: str) -> ModuleSpec | None:
    """Where a module is, found without importing it or its parents anew."""
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None)
    if spec is not None:
        return spec
    if loaded is not None and getattr(loaded, "__file__", None):  # a script that is run
        return ModuleSpec(name, None, origin=str(loaded.__file__))
    parent = name.rpartition(".")[0]
    try:
        if not parent:
            return importlib.util.find_spec(name)
        above = _found(parent)
        inside = above.submodule_search_locations if above else None  # None: no package, which holds no modules
        return PathFinder.find_spec(name, inside) if inside is not None else None
    except (ImportError, ValueError, AttributeError):
        return None


def _imported(content: bytes, name: str, spec: ModuleSpec) -> Iterator[str]:
    """The names of the modules that a module's source may import, at its top or in its functions.

    Where it computes a name (`import_module(...)`), every module beside it counts.
    """
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    try:
        tree = ast.parse(content)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (part.name for part in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _resolved(node, package)
            yield base
            yield from (f"{base}.{part.name}" for part in node.names)
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("import_module", "__import__"):
            yield from _beside(Path(str(spec.origin)), package)


def _resolved(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
    return f"{above}.{node.module}" if node.module else above


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _beside(path: Path, package: str) -> Iterator[str]:
    for file in path.parent.glob("*.py"):
        if file.stem != "__init__":
            yield f"{package}.{file.stem}" if package else file.stem
