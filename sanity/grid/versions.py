"""Lists the versions of a record's method and checks, and of its table if a published table was run."""

import checks
import methods
from sanity.config import RunConfig
from sanity.config.source_hash import version
from sanity.grid.cells import CONTROL, DENSE, Cell
from sanity.grid.references import spec_of_counts


def versions(cell: Cell, config: RunConfig) -> dict[str, int]:
    """Returns name -> version of the method and checks of `cell`, and of the published table that it was run for."""
    listed = {} if cell.method.name == DENSE else {cell.method.name: version(methods.REGISTRY.load(cell.method.name))}
    for reference in filter(None, (cell.check.reference(), spec_of_counts(cell.method))):
        listed[reference.name] = version(methods.REGISTRY.load(reference.name))
    parts = [name for name, _ in cell.check.parts if name != CONTROL]
    listed |= {name: version(checks.REGISTRY.load(name)) for name in parts}
    return listed | ({config.reproduction: config.table_version} if config.reproduction else {})
