"""Measures effective density: which kept weights lie on a live path from input to output."""

from sanity.masks.effective_density.live_paths import (
    STATISTICS_ALONE,
    density_of_paths,
    effective_density,
    live_weights,
    paths_are_known,
    why_unknown,
)

__all__ = [
    "STATISTICS_ALONE",
    "density_of_paths",
    "effective_density",
    "live_weights",
    "paths_are_known",
    "why_unknown",
]
