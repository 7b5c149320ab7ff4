"""Reads scikit-learn's digits, the data set that needs no download."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sanity.data.source import Source, Split, first_of_each

TRAIN = 1200


@dataclass(frozen=True)
class Digits(Source):
    """1,797 handwritten digits of 8x8 pixels (scikit-learn's); 1,200 train, 597 test, no download.

    The split is fixed: 120 training examples of every class, drawn once over all writers; the rest is the test set.
    """

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        # numpy never changes RandomState's stream, so the split is the same in every version.
        order = np.random.RandomState(0).permutation(len(bunch.target))
        examples = torch.from_numpy(np.round(bunch.images[order] * (255 / 16)).astype(np.uint8)).unsqueeze(1)
        targets = torch.from_numpy(bunch.target[order].astype(np.int64))
        train = torch.zeros(len(targets), dtype=torch.bool)
        train[first_of_each(targets, TRAIN)] = True
        return Split(examples[train], targets[train]), Split(examples[~train], targets[~train]), 10
