"""The tree is the architecture: a folder imports only from lower floors, and no files import each other in a circle,
wherever in a file the import stands."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = ("sanity", "methods", "checks", "reproductions", "reports")
CHECKED = "TYPE_CHECKING"
FOR_ANNOTATIONS = {
    "methods.budget": "methods.base",  # wraps a method's `mask`, and is applied where methods are defined
}
"""Files that import for annotations alone, under TYPE_CHECKING, what imports them."""


def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    paths = [path for top in TOP for path in (ROOT / top).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def room(module: str) -> str:
    """The folder that a module lies in; a file directly in sanity/ is a room of its own."""
    top, *rest = module.split(".")
    return f"{top}.{rest[0]}" if top == "sanity" and rest else top


def imported(path: Path, known: dict[str, Path], annotations: bool = True) -> Iterator[str]:
    """The modules of ours that a file imports, in functions too. annotations: whether `if TYPE_CHECKING` counts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not annotations:
        tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == CHECKED)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


@cache
def imports_of_files(annotations: bool) -> dict[str, set[str]]:
    """Which files each file imports; the `__init__.py` of a folder counts where it is imported by name."""
    known = modules()
    return {module: set(imported(path, known, annotations)) for module, path in known.items()}


@cache
def imports_of_rooms(tests: bool = True) -> dict[str, set[str]]:
    """Which rooms each room imports, itself left out. tests: whether the proofs of sanity/invariants count."""
    known = modules()
    imports: dict[str, set[str]] = {}
    for module, path in known.items():
        if not tests and path.name.startswith(("test_", "conftest")):
            continue
        imports.setdefault(room(module), set()).update(room(name) for name in imported(path, known))
    imports.pop("sanity")  # the package's own, empty file
    return {name: needs - {name, "sanity"} for name, needs in imports.items()}


def floors() -> dict[str, int]:
    """The floor of each room, as the table in docs/architecture.md has it."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.*) \|$", text, re.MULTILINE)
    return {name.replace("/", "."): int(floor) for floor, names in rows for name in re.findall(r"`([^`]+)`", names)}


def test_the_table_of_floors_has_every_room_once() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| \d \| .*$", text, re.MULTILINE)))
    assert sorted(name.replace("/", ".") for name in names) == sorted(imports_of_rooms())
    assert len(names) > 15
    assert sorted(set(floors().values())) == list(range(1, 10))


def test_a_room_imports_only_what_stands_on_a_lower_floor() -> None:
    floor = floors()
    upward = [
        (name, need) for name, needs in imports_of_rooms().items() for need in needs if floor[need] >= floor[name]
    ]
    assert not upward


def test_the_rooms_import_each_other_seldom() -> None:
    """Each import between rooms is one thing more to know of another; a room for every helper would need many."""
    assert sum(map(len, imports_of_rooms(tests=False).values())) <= 110


def test_no_files_import_each_other_in_a_circle() -> None:
    """Neither could then be read, tested or moved without the other; a late import would only hide it."""
    TopologicalSorter(imports_of_files(annotations=False)).prepare()  # raises CycleError, which names the files


def test_annotations_close_no_circles_but_these() -> None:
    imports = imports_of_files(annotations=True)
    without = {name: needs - {FOR_ANNOTATIONS.get(name, "")} for name, needs in imports.items()}
    TopologicalSorter(without).prepare()
    for name in FOR_ANNOTATIONS:
        with pytest.raises(CycleError):
            TopologicalSorter({**without, name: imports[name]}).prepare()


def late_imports(path: Path) -> Iterator[str]:
    """The lines with which a file's functions begin to import."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        places = {node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)}
        yield from (lines[place - 1] for place in sorted(places) if place - 1 not in places)


def test_an_import_inside_a_function_says_why() -> None:
    """An import belongs at the top of a file unless it costs the start, is an extra, or must come after something."""
    late = {f"{name}: {line.strip()}" for name, path in modules().items() for line in late_imports(path)}
    assert not {line for line in late if "  # " not in line}
    assert len(late) > 30


@pytest.mark.parametrize(
    ("former", "module"),
    [
        ("sanity.tickets", "sanity.masks.ticket"),
        ("sanity.datasets.base", "sanity.data.source"),
        ("sanity.scoring_cost", "sanity.bench.scoring"),
    ],
)
def test_former_names_hold_the_same_objects(former: str, module: str) -> None:
    public = getattr(import_module(former), "__all__", ["main"])
    assert all(getattr(import_module(former), name) is getattr(import_module(module), name) for name in public)
