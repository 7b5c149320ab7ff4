"""Chooses the margin where none is given: 0.5 points, or more where the test set is too small for that."""

import pandas as pd

from reports.analysis import MARGIN
from reports.validation import number

IMAGES = 6
"""The margin is at least so many test images. On the 597 of digits tickets with and without a check differ by about
four from seed to seed: three images (0.5 points) take some 40 seeds to tell from none, six take about ten."""
LARGEST = 100.0


def margin_of(frame: pd.DataFrame) -> float:
    """Returns the margin for these records, in percentage points to a tenth: that of the largest test set among them.

    frame: records; where none names its `test_examples`, the margin is 0.5.
    """
    counts = [number(value) for value in frame.get("test_examples", [])]
    most = max((count for count in counts if count > 0), default=0)
    return min(max(MARGIN, round(100 * IMAGES / most, 1)), LARGEST) if most else MARGIN
