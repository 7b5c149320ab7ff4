"""Lists the versions of what made a record: of its method, its checks and, where it was reproduced, its table."""

import checks
import methods
import reproductions
from sanity.grid.cells import CONTROL, DENSE, Cell
from sanity.source_hash import version


def versions(cell: Cell, table: str = "") -> dict[str, int]:
    """Name -> version of the parts of `cell`.

    table: the published table that the cell was run for; empty where none.
    """
    listed = {} if cell.method.name == DENSE else {cell.method.name: version(methods.REGISTRY.load(cell.method.name))}
    parts = [name for name, _ in cell.check.parts if name != CONTROL]
    listed |= {name: version(checks.REGISTRY.load(name)) for name in parts}
    return listed | ({table: int(reproductions.declaration(table).get("version", 1))} if table else {})
