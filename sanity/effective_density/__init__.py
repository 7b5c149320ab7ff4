"""Measures effective density: which kept weights lie on a live path from input to output."""

from sanity.effective_density.live_paths import density_of_paths, effective_density, live_weights, paths_are_known

__all__ = ["density_of_paths", "effective_density", "live_weights", "paths_are_known"]
