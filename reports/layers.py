"""Names layers in short, and lists what each keeps, for layers.csv."""

from collections.abc import Iterator, Sequence

from reports.statistics import Cell, Summary


def rows(summary: Summary) -> Iterator[dict[str, object]]:
    """Setting, method, check, ratio, the layer's name in the network and in pictures, and its mean density."""
    for cell in summary.cells:
        shown = layer_names([cell])
        for name, density in cell.layers.items():
            row: dict[str, object] = dict(zip(("dataset", "model", "recipe"), cell.setting, strict=True))
            row |= {"method": cell.method, "check": cell.check, "ratio": cell.ratio}
            yield row | {"layer": name, "shown_as": shown[name], "density": density}


KINDS = {  # of records that do not tell the kinds of their layers
    "lenet_300_100": ("fc", "fc", "fc"),
    "lenet5": ("conv", "conv", "fc", "fc"),
}


def layer_names(cells: Sequence[Cell]) -> dict[str, str]:
    """The layers of some cells of one network, in its order, each with its name in short.

    "stage3.block2.conv1.weight" is "stage3.block2.conv1"; a layer whose name is only a number ("1.weight" of a sequence
    of modules) is named by kind and place, "conv2", or by its place alone where no kind is known, "layer 2".
    """
    names = list(dict.fromkeys(name for cell in cells for name in cell.layers))
    recorded = {name: kind for cell in cells for name, kind in cell.layer_kinds.items()}
    known = KINDS.get(cells[0].model, ()) if cells else ()
    kinds = dict(zip(names, known, strict=True)) if len(known) == len(names) else {}
    return {name: _short(name, place, (kinds | recorded).get(name, "")) for place, name in enumerate(names, start=1)}


def _short(name: str, place: int, kind: str) -> str:
    short = name.removesuffix(".weight")
    if short.replace(".", "").isdigit():
        return f"{kind}{place}" if kind else f"layer {place}"
    return short if len(short) <= 20 else "…" + short[-19:]
