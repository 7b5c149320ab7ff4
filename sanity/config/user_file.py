"""Imports a Python file of the user's that is named by its path, `folder/file.py:NAME`."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_LENGTH = 8  # of the digest in a module's name


def is_file(module: str) -> bool:
    """Whether `module` names a file rather than a module."""
    return module.endswith(".py")


def load_file(text: str) -> ModuleType:
    """Imports a file as a module of its own; modules beside it can be imported by it.

    The module's name holds a digest of the content: two files of one name are two modules, and an edited file is
    another one. Raises `FileNotFoundError` where there is no such file, and whatever the file raises.
    """
    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {text}")
    name = f"{path.stem}_{hashlib.sha256(path.read_bytes()).hexdigest()[:_LENGTH]}"
    if name in sys.modules:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # of a file that ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
