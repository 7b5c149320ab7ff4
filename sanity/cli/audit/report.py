"""Writes what an audit found: as a text for the terminal and as a page of HTML."""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from sanity.cli.audit import likeness, measures
from sanity.cli.audit import proxies as zero_cost
from sanity.cli.audit.config import AuditConfig
from sanity.cli.audit.likeness import Overlap
from sanity.cli.audit.measures import Layer
from sanity.cli.audit.proxies import Proxy
from sanity.cli.audit.subject import Subject, load
from sanity.errors import UserError
from sanity.store.files import write_where_asked

Rows = list[list[str]]
_SAME = 0.001  # of the kept weights in other layers than a rule has them
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;"
    "text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}li{margin:.2rem 0}"
)


@dataclass(frozen=True)
class Audit:
    """What is known of a ticket before any training.

    findings: a sentence each. layers, overlaps, proxies: the numbers behind them. about: the file, the network, the
    match. no_proxies: why proxies could not be measured; empty where they were, or were not asked for.
    """

    path: Path
    about: tuple[str, ...]
    findings: tuple[str, ...]
    layers: tuple[Layer, ...]
    overlaps: tuple[Overlap, ...]
    proxies: tuple[Proxy, ...] = ()
    no_proxies: str = ""


def audit(path: Path, config: AuditConfig | None = None) -> Audit:
    """Audits the ticket of a file. Raises `UserError` where it has no masks or fits no network that is named."""
    config = config or AuditConfig()
    subject = load(path, config)
    layers = measures.layers(subject)
    overlaps = likeness.overlaps(subject)
    findings = [measures.counts(subject, config.ratio), *_dead(layers)]
    findings += [_densities(subject), *_weights(subject, layers), likeness.verdict(overlaps)]
    proxies, no_proxies = _proxies(subject)
    numbers = tuple(layers), tuple(overlaps), proxies
    return Audit(path, subject.about, tuple(filter(None, findings)), *numbers, no_proxies)


def _proxies(subject: Subject) -> tuple[tuple[Proxy, ...], str]:
    """Returns the proxies and, where they cannot be measured, the reason: the rest of the audit does not need them."""
    try:
        return tuple(zero_cost.proxies(subject)), ""
    except UserError as error:
        return (), str(error)


def _dead(layers: list[Layer]) -> list[str]:
    empty = [layer.name for layer in layers if not layer.kept]
    found = [f"no weight is left in {', '.join(empty)}: no signal passes" if empty else "no layer is empty"]
    for before, layer in zip([None, *layers[:-1]], layers, strict=True):
        if layer.idle_outputs:
            found.append(f"{layer.idle_outputs} of {layer.shape[0]} outputs of '{layer.name}' have no incoming weight")
        if layer.unused_inputs:
            of_units = before is not None and before.shape[0] == layer.shape[1]
            inputs = (
                f"units of '{before.name}' have no outgoing weight" if of_units and before else "inputs are not read"
            )
            found.append(f"{layer.unused_inputs} of {layer.shape[1]} {inputs}, as '{layer.name}' has it")
    dead = [layer.dead for layer in layers if layer.dead is not None]
    if len(dead) < len(layers):
        return [*found, "weights on no path from input to output: not known for this network"]
    return [*found, f"{sum(dead):,} kept weights lie on no path from input to output"]


def _densities(subject: Subject) -> str:
    rules = measures.likeness_of_densities(subject.mask)
    if not rules:
        return ""
    moved = [f"{rule.rule} {100 * rule.moved:.1f} %" for rule in rules]
    start = (
        f"the layers' counts are those of {rules[0].rule}" if rules[0].moved < _SAME else "the layers' counts by rule"
    )
    return f"{start}; share of the kept weights that another layer would keep under {', '.join(moved)}"


def _weights(subject: Subject, layers: list[Layer]) -> list[str]:
    found = []
    if subject.final is not None:
        revived = sum(layer.revived or 0 for layer in layers)
        zero = "all removed weights are zero in the final weights"
        found.append(f"{revived:,} removed weights are not zero in the final weights: revived" if revived else zero)
        if subject.initial is not None:
            found.append(measures.trained(subject.initial, subject.final, subject.mask))
    if subject.final_accuracy is not None:
        found.append(
            f"the network with the final weights has a test accuracy of {subject.final_accuracy:.2f} %, with images "
            "normalised by the mean and deviation of the training set; its authors may normalise otherwise"
        )
    return found


def _layer_rows(audit: Audit) -> Rows:
    def known(value: int | None) -> str:
        return "?" if value is None else f"{value:,}"

    head = ["layer", "shape", "kept", "of", "density %", "idle outputs", "unread inputs", "on no path", "revived"]
    rows = [
        [
            layer.name,
            "x".join(map(str, layer.shape)),
            f"{layer.kept:,}",
            f"{layer.weights:,}",
            f"{100 * layer.density:.2f}",
            str(layer.idle_outputs),
            str(layer.unused_inputs),
            known(layer.dead),
            known(layer.revived),
        ]
        for layer in audit.layers
    ]
    return [head, *rows]


def _overlap_rows(audit: Audit) -> Rows:
    head = ["method", "counts", "common %", "chance %", "deviations", "ties"]
    return [
        head,
        *(
            [
                overlap.method,
                "as many weights" if overlap.counts == "total" else "as many in each layer",
                f"{100 * overlap.share:.2f}",
                f"{100 * overlap.chance / max(overlap.kept, 1):.2f}",
                f"{overlap.excess:+.1f}",
                str(overlap.ties),
            ]
            for overlap in audit.overlaps
            if not overlap.reason
        ),
    ]


def _proxy_rows(audit: Audit) -> Rows:
    head = ["proxy at the start", "this mask", f"{zero_cost.DRAWS} random masks of these counts", "dense network"]
    return [
        head,
        *(
            [
                proxy.name,
                f"{proxy.ticket:.4g}",
                f"{min(proxy.at_random):.4g} to {max(proxy.at_random):.4g}",
                f"{proxy.dense:.4g}",
            ]
            for proxy in audit.proxies
        ),
    ]


def _meanings(audit: Audit) -> list[str]:
    return [f"{proxy.name}: {zero_cost.MEANINGS[proxy.name]}" for proxy in audit.proxies]


def text(audit: Audit) -> str:
    """Returns the audit as lines for a terminal."""
    lines = [*audit.about, "", *(f"- {finding}" for finding in audit.findings), "", *_aligned(_layer_rows(audit))]
    if any(not overlap.reason for overlap in audit.overlaps):
        lines += ["", *_aligned(_overlap_rows(audit))]
    if audit.proxies:
        lines += ["", *_aligned(_proxy_rows(audit)), *_meanings(audit)]
    return "\n".join([*lines, *(f"{line}" for line in _left_out(audit))])


def _left_out(audit: Audit) -> list[str]:
    lines = [f"not compared with {overlap.method}: {overlap.reason}" for overlap in audit.overlaps if overlap.reason]
    return [*lines, *([f"no zero-cost proxies: {audit.no_proxies}"] if audit.no_proxies else [])]


def _aligned(rows: Rows) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def write_page(audit: Audit, path: Path) -> None:
    """Writes the audit as one page of HTML that needs no other file. Raises `CannotWrite`."""
    title = f"Audit of {audit.path.name}"
    parts = [f"<h1>{escape(title)}</h1>", _list(audit.findings), _table(_layer_rows(audit))]
    if len(_overlap_rows(audit)) > 1:
        parts.append(_table(_overlap_rows(audit)))
    if audit.proxies:
        parts += [_table(_proxy_rows(audit)), _list(_meanings(audit))]
    parts.append(_list([*_left_out(audit), *audit.about]))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    write_where_asked(path, f"{head}\n" + "\n".join(parts) + "\n</html>\n")


def _list(lines: list[str] | tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(rows: Rows) -> str:
    head, *body = ("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) for tag, row in _tagged(rows))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in body)}</tbody></table>"


def _tagged(rows: Rows) -> list[tuple[str, list[str]]]:
    return [("th" if not place else "td", row) for place, row in enumerate(rows)]
