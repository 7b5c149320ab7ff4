"""Loads the reference sets as data frames: what many methods reach by one recipe, measured here.

    from sanity import reference
    reference.names()
    frame = reference.load("digits_lenet_300_100")
    frame.groupby(["method", "ratio"])["last_test_accuracy"].mean()

`python -m sanity.reference NAME` prints a set.
"""

import sys

from reproductions.reference import names
from reproductions.reference.records import load

__all__ = ["load", "names"]

if __name__ == "__main__":
    from reports.reference_command import main

    sys.exit(main(sys.argv[1:]))
