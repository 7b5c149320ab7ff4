"""Defines the control, which perturbs nothing."""

from dataclasses import dataclass
from typing import ClassVar

from checks.base import Check


@dataclass(frozen=True, kw_only=True)
class Unperturbed(Check):
    """Perturbs nothing: the control that every check is compared with."""

    keeps: ClassVar[str] = "everything"
    destroys: ClassVar[str] = "nothing"
