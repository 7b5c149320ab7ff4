"""Names layers in short, and lists what each keeps, for layers.csv."""

from collections.abc import Iterator, Sequence

from reports.statistics import Summary


def rows(summary: Summary) -> Iterator[dict[str, object]]:
    """Setting, method, check, ratio, the layer's name in the network and in pictures, and its mean density."""
    for cell in summary.cells:
        for (name, density), shown in zip(cell.layers.items(), layer_names(list(cell.layers)), strict=True):
            row: dict[str, object] = dict(zip(("dataset", "model", "recipe"), cell.setting, strict=True))
            row |= {"method": cell.method, "check": cell.check, "ratio": cell.ratio}
            yield row | {"layer": name, "shown_as": shown, "density": density}


def layer_names(names: Sequence[str]) -> list[str]:
    """The layers' names in short: "stage3.block2.conv1.weight" is "stage3.block2.conv1"; those that are only numbers
    ("1.weight" of a sequence of modules) by their place: "layer 1"."""
    short = [name.removesuffix(".weight") for name in names]
    return [
        f"layer {place}" if name.replace(".", "").isdigit() else name if len(name) <= 20 else "…" + name[-19:]
        for place, name in enumerate(short, start=1)
    ]
