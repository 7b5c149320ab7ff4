"""Reads CIFAR-10 and CIFAR-100 from the authors' python archive with torchvision, verifying every file's checksum."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from sanity.data.download import Downloaded
from sanity.data.source import Known, Split
from sanity.errors import UserError


@dataclass(frozen=True)
class CIFAR10(Downloaded):
    """50,000 training and 10,000 test images of ten classes, 32x32 colour (Krizhevsky 2009).

    The deviations that `recipe.normalise=dataset` divides by are the often-copied 0.2023, 0.1994, 0.2010, the mean of
    the images' own; those of all pixels, 0.247, 0.243, 0.262, are `recipe.normalise=pixel_std`.
    """

    torchvision_name: ClassVar[str] = "CIFAR10"
    classes: ClassVar[int] = 10
    known = Known(50_000, 10_000, (3, 32, 32), 10)
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2023, 0.1994, 0.2010)

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        from torchvision.datasets.utils import check_integrity  # torchvision takes a second to import

        archive = self._archive()
        folder = data_dir / archive.base_folder
        checksums = _checksums(archive)
        if any(not (folder / file).exists() for file, _ in checksums):
            address = archive.url.rpartition("/")[0] + "/"
            self.obtain(archive, data_dir, [f"{archive.filename} and unpack it"], address, data_dir)
        for file, md5 in checksums:
            if not check_integrity(str(folder / file), md5):
                raise UserError(
                    f"{folder / file}: corrupt, its MD5 is not {md5}. Delete it and fetch {archive.url} again"
                )
        return self._split(archive, data_dir, train=True), self._split(archive, data_dir, train=False), self.classes

    def files(self, data_dir: Path) -> list[Path]:
        archive = self._archive()
        return [data_dir / archive.base_folder / file for file, _ in _checksums(archive)]

    def _archive(self) -> Any:
        from torchvision import datasets  # torchvision takes a second to import

        return getattr(datasets, self.torchvision_name)

    @staticmethod
    def _split(archive: type, data_dir: Path, *, train: bool) -> Split:
        read = archive(str(data_dir), train=train)
        return Split(torch.from_numpy(read.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(read.targets))


def _checksums(archive: Any) -> list[tuple[str, str]]:
    """Returns the files of one of torchvision's archives, each with its MD5."""
    return [*archive.train_list, *archive.test_list, (archive.meta["filename"], archive.meta["md5"])]


@dataclass(frozen=True)
class CIFAR100(CIFAR10):
    """50,000 training and 10,000 test images of a hundred classes, 32x32 colour (Krizhevsky 2009)."""

    torchvision_name: ClassVar[str] = "CIFAR100"
    classes: ClassVar[int] = 100
    known = Known(50_000, 10_000, (3, 32, 32), 100)
    mean = (0.5071, 0.4867, 0.4408)
    std = (0.2675, 0.2565, 0.2761)
