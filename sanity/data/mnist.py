"""Reads MNIST and Fashion-MNIST from four idx files each, raw or gzipped, and verifies them by checksum."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO, ClassVar

import torch
from torch import Tensor

from sanity.data.download import Downloaded
from sanity.data.memory import check_fits
from sanity.data.source import Known, Split
from sanity.errors import UserError

FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_CHUNK = 1 << 24


@dataclass(frozen=True)
class MNIST(Downloaded):
    """60,000 training and 10,000 test images of handwritten digits, 28x28 grey (LeCun et al. 1998).

    Its idx files are looked for in `data_dir`/MNIST/raw (torchvision's layout), then in `data_dir` itself.

    verify: false takes files that are not the published ones, such as a part of them or another data set in this form.
    """

    verify: bool = True
    torchvision_name: ClassVar[str] = "MNIST"
    known = Known(60_000, 10_000, (1, 28, 28), 10)
    published: ClassVar[tuple[str, ...]] = (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    )
    """MD5 of the contents of `FILES`, unpacked: packed ones differ with the program that packed them."""

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        folder = data_dir / self.torchvision_name / "raw"
        paths = _existing(folder) or _existing(data_dir)
        if paths is None:
            from torchvision import datasets  # torchvision takes a second to import

            torchvision_class = getattr(datasets, self.torchvision_name)
            files = [f"{file}.gz" for file in FILES]
            self.obtain(torchvision_class, data_dir, files, torchvision_class.mirrors[0], folder)
            paths = _existing(folder) or [folder / file for file in FILES]
        train, test = _split(*paths[:2]), _split(*paths[2:])
        if self.verify:
            for path, tensor, md5 in zip(paths, (*train, *test), self.published, strict=True):
                self._check_published(path, tensor, md5)
        splits = [Split(images.unsqueeze(1), labels.long()) for images, labels in (train, test)]
        return splits[0], splits[1], 10

    def files(self, data_dir: Path) -> list[Path]:
        folders = (data_dir / self.torchvision_name / "raw", data_dir)
        return [path for folder in folders for pair in _choices(folder) for path in pair]

    def _check_published(self, path: Path, tensor: Tensor, md5: str) -> None:
        """Raises `UserError` if the idx file at `path` differs from the published file."""
        content = _md5(tensor)
        if content == md5:
            return
        owner = next((cls.__name__ for cls in (MNIST, FashionMNIST) if content in cls.published), None)
        reason = f"this is {owner}'s file" if owner else f"{len(tensor)} examples with MD5 {content}, not {md5}"
        raise UserError(
            f"{path}: not the published {self.torchvision_name} ({reason}); "
            "fetch it anew, or take these files as they are with dataset.verify=false"
        )


@dataclass(frozen=True)
class FashionMNIST(MNIST):
    """60,000 training and 10,000 test images of ten kinds of clothing, 28x28 grey (Xiao et al. 2017).

    Its idx files are looked for in `data_dir`/FashionMNIST/raw (torchvision's layout), then in `data_dir` itself.
    """

    torchvision_name: ClassVar[str] = "FashionMNIST"
    published: ClassVar[tuple[str, ...]] = (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    )


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Reads the uint8 tensor of an idx file, gzipped if it ends in .gz. Raises `UserError` naming a corrupt file.

    It unpacks at most the size in the header, and nothing if that does not fit in memory.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: cannot be read (it is no regular file)")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _content(path, file, dimensions)  # type: ignore[arg-type]  # GzipFile reads as a BinaryIO does
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _content(path: Path, file: BinaryIO, dimensions: int) -> Tensor:
    header = file.read(4 + 4 * dimensions)
    if header[:4] != bytes((0, 0, 8, dimensions)) or len(header) < 4 + 4 * dimensions:
        raise UserError(f"{path}: corrupt, not an idx file of {dimensions}-dimensional bytes")
    shape = [int.from_bytes(header[at : at + 4], "big") for at in range(4, len(header), 4)]
    expected = prod(shape)
    check_fits(expected, f"{path}", f"its header says {'x'.join(map(str, shape))}")
    content = bytearray()
    while chunk := file.read(min(_CHUNK, expected + 1 - len(content))):
        content += chunk
    if len(content) != expected or expected == 0:
        count = f"more than {expected}" if len(content) > expected else len(content)
        raise UserError(f"{path}: corrupt, {count} bytes of data where its header says {expected}")
    return torch.frombuffer(content, dtype=torch.uint8).view(shape)


def _md5(tensor: Tensor) -> str:
    """Returns the MD5 of the idx file that holds `tensor`."""
    header = bytes((0, 0, 8, tensor.dim())) + b"".join(length.to_bytes(4, "big") for length in tensor.shape)
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _existing(folder: Path) -> list[Path] | None:
    """Returns the four files in `folder`, each raw or else gzipped; None if one is missing."""
    paths = [next((path for path in pair if path.exists()), None) for pair in _choices(folder)]
    return None if None in paths else [path for path in paths if path]


def _choices(folder: Path) -> list[tuple[Path, Path]]:
    """Returns the places of the four files in `folder`, raw and gzipped."""
    return [(folder / file, folder / f"{file}.gz") for file in FILES]


def _split(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    """Reads the images (N, 28, 28) and labels (N,) of one split, both uint8."""
    examples, targets = read_idx(images, 3), read_idx(labels, 1)
    if len(examples) != len(targets):
        raise UserError(f"{labels}: corrupt, {len(targets)} labels for the {len(examples)} images of {images}")
    if targets.max() > 9:
        raise UserError(f"{labels}: corrupt, label {int(targets.max())} where 0 to 9 are allowed")
    return examples, targets
