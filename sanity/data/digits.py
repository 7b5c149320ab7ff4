"""Reads scikit-learn's digits, the data set that needs no download."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from sanity.data.source import Source, Split, first_of_each
from sanity.errors import UserError

TRAIN = 1200


def _file() -> Path | None:
    """Returns scikit-learn's file, found without an import, which would take longer than all the rest of a start."""
    package = find_spec("sklearn")
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz" if package and package.origin else None


def _table() -> np.ndarray:
    """Returns the rows of scikit-learn's file: 64 pixels from 0 to 16, then the class."""
    file = _file()
    if file is None or not file.is_file():
        raise UserError("dataset=digits: its images are in scikit-learn, which is not installed")
    return np.loadtxt(file, delimiter=",")


@dataclass(frozen=True)
class Digits(Source):
    """1,797 handwritten digits of 8x8 pixels (scikit-learn's); 1,200 train, 597 test, no download.

    The split is fixed: 120 training examples of every class, drawn once over all writers; the rest is the test set.
    """

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        table = _table()
        # numpy never changes RandomState's stream, so the split is the same in every version.
        order = np.random.RandomState(0).permutation(len(table))
        images, classes = table[order, :-1].reshape(-1, 1, 8, 8), table[order, -1]
        examples = torch.from_numpy(np.round(images * (255 / 16)).astype(np.uint8))
        targets = torch.from_numpy(classes.astype(np.int64))
        train = torch.zeros(len(targets), dtype=torch.bool)
        train[first_of_each(targets, TRAIN)] = True
        return Split(examples[train], targets[train]), Split(examples[~train], targets[~train]), 10

    def files(self, data_dir: Path) -> list[Path]:
        return [file] if (file := _file()) else []
