"""Says in a sentence what each picture shows: what a caption tells, and a screen reader in the picture's place."""

from collections.abc import Sequence

from reports.layers import layer_names
from reports.plots import labels
from reports.records import CONTROL
from reports.statistics import Cell
from reports.text import say
from reports.wording import check_name, percent, points, share

LISTED = 4  # cells that are named one by one


def alt(kind: str, title: str, cells: Sequence[Cell]) -> str:
    """The finding of a picture of one kind, drawn from these cells."""
    return say(f"alt.{kind}", title=title, finding={"accuracy": _accuracy, "paper": _paper, "layers": _layers,
                                                    "overlap": _overlap}[kind](cells))  # fmt: skip


def _accuracy(cells: Sequence[Cell]) -> str:
    """Where the ticket's accuracy begins and ends, and which check moves it most."""
    tickets = [cell for cell in cells if cell.check == CONTROL] or list(cells)
    ends = [tickets[0], tickets[-1]][: len(tickets)]
    texts = [say("alt.at", accuracy=points(cell.accuracy.mean), ratio=percent(round(cell.ratio, 3))) for cell in ends]
    text = " to ".join(texts)
    moved = [cell for cell in cells if cell.comparison and cell.comparison.difference.n]
    if not moved:
        return text
    most = max(moved, key=lambda cell: abs(cell.compared.difference.mean))
    return text + say("alt.moved", check=check_name(most.check), ratio=percent(round(most.ratio, 3)),
                      change=points(most.compared.difference.mean, signed=True))  # fmt: skip


def _paper(cells: Sequence[Cell]) -> str:
    """Ours and the paper's, of those that lie furthest apart first."""
    named = dict(zip(map(id, cells), labels(cells), strict=True))
    measured = sorted((cell for cell in cells if cell.paper and cell.paper.ours.n),
                      key=lambda cell: -abs(cell.paper.delta) if cell.paper else 0)  # fmt: skip
    if not measured:
        return say("alt.unrun")
    return "; ".join(
        say("alt.beside", cell=named[id(cell)].replace("\n", " "), ours=points(cell.paper.ours.mean),
            theirs=points(cell.paper.mean))
        for cell in measured[:LISTED] if cell.paper
    )  # fmt: skip


def _layers(cells: Sequence[Cell]) -> str:
    """Which layer keeps least, of the unperturbed ticket at its highest sparsity."""
    last = [cell for cell in cells if cell.check == CONTROL and cell.layers] or [cell for cell in cells if cell.layers]
    names = list(last[-1].layers)
    least, most = (choose(names, key=lambda name: last[-1].layers[name]) for choose in (min, max))
    shown = layer_names(last[-1:])
    return say("alt.least", ratio=percent(round(last[-1].ratio, 3)), least=shown[least], most=shown[most],
               low=share(last[-1].layers[least]), high=share(last[-1].layers[most]))  # fmt: skip


def _overlap(cells: Sequence[Cell]) -> str:
    """For each check what the masks share at the highest sparsity, and by chance."""
    last = {cell.check: cell for cell in cells}
    return "; ".join(
        say("alt.shared", check=check_name(check), ratio=percent(round(cell.ratio, 3)), overlap=share(cell.overlap),
            chance=share(cell.expected_overlap))
        for check, cell in list(last.items())[:LISTED]
    )  # fmt: skip
