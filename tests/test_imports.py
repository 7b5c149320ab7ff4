"""The tree is the architecture: folders import each other without a cycle, wherever in a file the import stands."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP = ("sanity", "methods", "checks", "reproductions", "reports")


def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    paths = [path for top in TOP for path in (ROOT / top).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def room(module: str) -> str:
    """The folder that a module lies in; a file directly in sanity/ is a room of its own."""
    top, *rest = module.split(".")
    return f"{top}.{rest[0]}" if top == "sanity" and rest else top


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ours that a file imports, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def test_folders_import_each_other_without_a_cycle() -> None:
    known = modules()
    imports: dict[str, set[str]] = {}
    for module, path in known.items():
        imports.setdefault(room(module), set()).update(room(name) for name in imported(path, known))
    assert len(imports) > 15
    order = TopologicalSorter({name: needs - {name} for name, needs in imports.items()})
    assert [*order.static_order()]  # raises CycleError, which names the cycle
