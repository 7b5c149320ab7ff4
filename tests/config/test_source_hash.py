"""The hash of a user's source: what counts in it, and what must not."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import methods
from sanity.config.source_hash import source_hash

Load = Callable[[str], type]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """The class `Mine` of a module below `tmp_path`, imported anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if str(tmp_path) in str(getattr(module, "__file__", "")):
                del sys.modules[name]
        importlib.invalidate_caches()

    def loaded(module: str) -> type:
        forget()
        found = importlib.import_module(module).Mine
        assert isinstance(found, type)
        return found

    yield loaded
    forget()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/").replace("/init/", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    "use",
    [
        "import helper\nclass Mine: pass\n",
        "from helper import VALUE\nclass Mine: pass\n",
        "import middle\nclass Mine: pass\n",
        "class Mine:\n    def late(self):\n        from helper import VALUE\n        return VALUE\n",
        "import importlib\nfound = importlib.import_module('hel' + 'per')\nclass Mine: pass\n",
        "from helper import Base\nclass Mine(Base): pass\n",
    ],
)
def test_an_edited_helper_counts_and_an_edited_neighbour_does_not(tmp_path: Path, load: Load, use: str) -> None:
    write(tmp_path, mine=use, middle="import helper\n", unused="x = 1\n")
    hashes = []
    for value, neighbour in ((1, 1), (1, 2), (2, 2)):
        write(tmp_path, helper=f"VALUE = {value}\nclass Base: pass\n")
        if "import_module" not in use:  # where a name is computed, every module beside it counts
            write(tmp_path, unused=f"x = {neighbour}\n")
        hashes.append(source_hash(load("mine")))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_package_counts_with_its_relative_imports(tmp_path: Path, load: Load) -> None:
    package = tmp_path / "lab"
    write(package, mine="from . import helper\nfrom .deep.inner import X\nclass Mine: pass\n", helper="V = 1\n")
    (package / "__init__.py").write_text("")
    write(package / "deep", inner="from ..helper import V\nX = 1\n")
    (package / "deep" / "__init__.py").write_text("")
    first = source_hash(load("lab.mine"))
    write(package, helper="V = 2\n")
    second = source_hash(load("lab.mine"))
    write(package / "deep", inner="from ..helper import V\nX = 2\n")
    third = source_hash(load("lab.mine"))
    (package / "__init__.py").write_text("import os\n")
    assert len({first, second, third, source_hash(load("lab.mine"))}) == 4


def test_one_file_alone_has_the_hash_that_it_always_had(tmp_path: Path, load: Load) -> None:
    import hashlib

    text = "import torch\nfrom methods.base import Method\nclass Mine: pass\n"
    write(tmp_path, mine=text)
    assert source_hash(load("mine")) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_our_own_classes_have_none() -> None:
    assert {source_hash(methods.REGISTRY.load(name)) for name in methods.REGISTRY.names()} == {""}


def test_an_edited_helper_counts_once_it_is_reloaded(tmp_path: Path, load: Load) -> None:
    write(tmp_path, mine="from helper import VALUE\nclass Mine: value = VALUE\n", helper="VALUE = 1\n")
    first = load("mine")
    hashes = [source_hash(first)]
    write(tmp_path, helper="VALUE = 2\n")
    for reloaded in ("mine", "helper", "mine"):
        importlib.invalidate_caches()
        module = importlib.reload(sys.modules[reloaded])
        if reloaded == "mine":
            hashes.append(source_hash(module.Mine))
    assert module.Mine.value == 2
    assert hashes[0] == hashes[1] != hashes[2]
