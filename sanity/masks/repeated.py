"""Holds a mask with what a second call of the same code gave."""

from collections.abc import Mapping

from torch import Tensor

from sanity.prunable import Mask


class RepeatedMask(Mask):
    """Holds a mask, and in how many entries that of a second call with the same seed differs; None: not called."""

    differs: int | None = None


def repeat_differs(mask: Mapping[str, Tensor]) -> int | None:
    """Returns in how many entries a second call with the same seed gave another mask; None where there was none."""
    return mask.differs if isinstance(mask, RepeatedMask) else None
