"""Loads the reference sets as data frames: what many methods reach by one recipe, measured here.

from sanity import reference
reference.names()
frame = reference.load("digits_lenet_300_100")
frame.groupby(["method", "ratio"])["last_test_accuracy"].mean()
"""

from sanity.cli.reference import load, names

__all__ = ["load", "names"]
