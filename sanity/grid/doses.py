"""Says for the record of a cell how much its check destroys, where the check declares an option as its dose."""

from typing import Any

from sanity.grid.cells import Cell, CheckSpec


def dose(cell: Cell) -> dict[str, Any] | None:
    """Returns the dose of a cell's check; None unless exactly one part of the check has one.

    of: the check without the option. option, value, scale: see `checks.base.Check`.
    """
    dosed = [(name, part) for name, part in cell.check.build_parts().items() if part.dose]
    if len(dosed) != 1:
        return None
    ((name, part),) = dosed
    others = tuple(
        (other, tuple(pair for pair in options if other != name or pair[0] != part.dose))
        for other, options in cell.check.parts
    )
    value = float(getattr(part, part.dose))
    return {"of": CheckSpec(others).label, "option": f"{name}.{part.dose}", "value": value, "scale": part.dose_scale}
