"""MNIST and Fashion-MNIST: four idx files each, raw or gzipped."""

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sanity.data.download import Downloaded
from sanity.data.source import Split
from sanity.errors import UserError

FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The uint8 tensor in an idx file, gzipped if it ends in .gz. Raises `UserError` naming a corrupt file."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    header = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, 8, dimensions)) or len(content) < header:
        raise UserError(f"{path}: corrupt, not an idx file of {dimensions}-dimensional bytes")
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    if len(content) - header != prod(shape) or 0 in shape:
        raise UserError(f"{path}: corrupt, {len(content) - header} bytes of data where its header says {prod(shape)}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).view(shape)


@dataclass(frozen=True)
class MNIST(Downloaded):
    """60,000 training and 10,000 test images of handwritten digits, 28x28 grey (LeCun et al. 1998).

    Its idx files are looked for in `data_dir`/MNIST/raw (torchvision's layout), then in `data_dir` itself.
    """

    torchvision_name: ClassVar[str] = "MNIST"

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        folder = data_dir / self.torchvision_name / "raw"
        paths = _found(folder) or _found(data_dir)
        if paths is None:
            from torchvision import datasets

            what = getattr(datasets, self.torchvision_name)
            self.obtain(what, data_dir, [f"{file}.gz" for file in FILES], what.mirrors[0], folder)
            paths = _found(folder) or [folder / file for file in FILES]
        return _split(*paths[:2]), _split(*paths[2:]), 10


@dataclass(frozen=True)
class FashionMNIST(MNIST):
    """60,000 training and 10,000 test images of ten kinds of clothing, 28x28 grey (Xiao et al. 2017).

    Its idx files are looked for in `data_dir`/FashionMNIST/raw (torchvision's layout), then in `data_dir` itself.
    """

    torchvision_name: ClassVar[str] = "FashionMNIST"


def _found(folder: Path) -> list[Path] | None:
    """The four files in `folder`, each raw or else gzipped; None if one is missing."""
    choices = [(folder / file, folder / f"{file}.gz") for file in FILES]
    paths = [next((path for path in pair if path.exists()), None) for pair in choices]
    return None if None in paths else [path for path in paths if path]


def _split(images: Path, labels: Path) -> Split:
    examples, targets = read_idx(images, 3), read_idx(labels, 1)
    if len(examples) != len(targets):
        raise UserError(f"{labels}: corrupt, {len(targets)} labels for the {len(examples)} images of {images}")
    if targets.max() > 9:
        raise UserError(f"{labels}: corrupt, label {int(targets.max())} where 0 to 9 are allowed")
    return Split(examples.unsqueeze(1), targets.long())
