"""Defines the options of `python -m sanity.audit`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """What is audited.

    model: the network; empty: the first of ours whose layers have the file's shapes
    input: channels x height x width of its inputs, as in 3x32x32; empty: the data set's, or those that fit
    from: weights takes the zeros of pruned weights for the mask
    init: file of the initial weights, which likeness to known methods needs; file:PATH, as a run has it, is the same
    final: file of the trained weights, with dataset= also their test accuracy; empty: those beside the masks
    ratio: fraction of the prunable weights that was to be removed; empty: the nearest plain one
    dataset: data set that SNIP and GraSP score on; empty: they are left out
    data_dir: where data sets are, or are downloaded to
    html: page to write; empty: audit-NAME.html in the current folder
    """

    model: str = ""
    input: str = ""
    from_: Literal["masks", "weights"] = "masks"
    init: str = ""
    final: str = ""
    ratio: float | None = None
    dataset: str = ""
    data_dir: str = "data"
    html: str = ""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
