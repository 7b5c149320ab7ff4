"""Writes report.json, for programs: the comparisons with all their numbers. report.schema.json describes it."""

import json
import math
from collections.abc import Mapping
from typing import Any

from reports.content import Content
from reports.flat import against, flat
from reports.placement import flat as places

VERSION = 1
"""Raised where a program that read the file before could not read it any more; new fields do not raise it."""
_TEXTS = ("dataset", "model", "recipe", "method", "check")


def document(content: Content) -> str:
    """The file's text. A number that does not exist is null."""
    summary = content.summary
    whole = {
        "schema": VERSION,
        "title": content.title or content.question,
        "overview": content.overview,
        "metric": summary.metric,
        "margin": summary.margin,
        "alpha": summary.alpha,
        "design": summary.design,
        "cells": [_plain(flat(cell, summary)) for cell in summary.cells],
        "methods": [_plain(against(one, summary)) for one in summary.methods],
        "placement": [_plain(row) for row in (places(content.placed) if content.placed else [])],
        "provenance": dict(content.provenance),
    }
    return json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(row: Mapping[str, object]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value == "" else value
