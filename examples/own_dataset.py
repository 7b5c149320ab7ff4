"""A data set of one's own: a class that reads a training and a test split, here from one NumPy archive.

python own_dataset.py                       # writes data/arrays.npz: stripes across, or down, under noise
python -m sanity.run dataset=own_dataset:Arrays data_dir=data model=lenet_300_100 methods=snip ratio=0.9
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sanity.data.source import Source, Split
from sanity.errors import UserError


@dataclass(frozen=True)
class Arrays(Source):
    """The arrays of data_dir/arrays.npz: uint8 images (N, C, H, W) and classes (N,) of both splits."""

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        """Training split, test split, number of classes. Options such as `dataset.limit` are applied afterwards."""
        path = data_dir / "arrays.npz"
        if not path.is_file():
            raise UserError(f"dataset Arrays: {path} is missing; `python own_dataset.py` writes an example")
        with np.load(path) as arrays:
            train, test = (
                Split(torch.from_numpy(arrays[f"{name}_images"]), torch.from_numpy(arrays[f"{name}_classes"]))
                for name in ("train", "test")
            )
        return train, test, int(train.targets.max()) + 1


def write_stripes(path: Path, train: int = 400, test: int = 200, side: int = 12) -> None:
    """Writes an archive of two classes: stripes across (0) or down (1) at a random place, under noise."""
    random = np.random.RandomState(0)
    arrays = {}
    for name, count in (("train", train), ("test", test)):
        classes = random.randint(2, size=count)
        shift = random.randint(4, size=(count, 1, 1))
        rows, columns = np.mgrid[:side, :side]
        place = np.where(classes[:, None, None] == 0, rows, columns)
        stripes = 100.0 * ((place + shift) % 4 < 2)
        noise = random.uniform(0, 155, size=(count, side, side))
        arrays[f"{name}_images"] = (stripes + noise).astype(np.uint8)[:, None]
        arrays[f"{name}_classes"] = classes.astype(np.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    write_stripes(Path("data/arrays.npz"))
