"""Data sets that are folders of images: any image folder, and Tiny-ImageNet."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from sanity.data.decoding import decode
from sanity.data.source import Source, Split, occurrences
from sanity.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".gif")
TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
Images = list[tuple[Path, int]]  # each image's file and class


@dataclass(frozen=True)
class ImageFolder(Source):
    """Any folder with train/<class>/ and test/<class>/ (or val/<class>/), images of one size or option size=.

    Images are decoded once to RGB (alpha is dropped, grey repeated). The order of the examples is one of every class in
    turn, so that any first part of them is balanced.

    size: resize all images to size x size pixels.
    cache: keep the decoded images in the user's cache folder, under a digest of their names, sizes and times.
    """

    size: Annotated[int, Field(ge=1)] | None = None
    cache: bool = True

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        train, test, classes = self.listing(data_dir)
        return self._decoded(train, self.limit), self._decoded(test, self.test_limit), classes

    def listing(self, data_dir: Path) -> tuple[Images, Images, int]:
        """The training images, the test images and the number of classes, before any limit."""
        wanted = f"imagefolder wants train/<class>/ and test/<class>/ (or val/<class>/) in data_dir={data_dir}"
        if not (data_dir / "train").is_dir():
            raise UserError(f"{wanted}, but there is no folder {data_dir / 'train'}")
        tests = [folder for folder in (data_dir / "test", data_dir / "val") if folder.is_dir()]
        if not tests:
            raise UserError(f"{wanted}, but there is neither test/ nor val/")
        names = class_names(data_dir / "train")
        if names != class_names(tests[0]):
            odd = sorted(set(names) ^ set(class_names(tests[0])))
            raise UserError(f"{data_dir}: class '{odd[0]}' is in only one of train/ and {tests[0].name}/")
        return images_by_class(data_dir / "train", names), images_by_class(tests[0], names), len(names)

    def _decoded(self, images: Images, limit: int | None) -> Split:
        targets = torch.tensor([target for _, target in images])
        order = occurrences(targets).argsort(stable=True)[:limit]
        return Split(decode([images[i][0] for i in order.tolist()], self.size, self.cache), targets[order])


@dataclass(frozen=True)
class TinyImageNet(ImageFolder):
    """Tiny-ImageNet: 100,000 training and 10,000 validation images of 200 classes, 64x64 colour.

    `data_dir` is the folder tiny-imagenet-200 or the one that holds it; val/ as published, with val_annotations.txt, or
    sorted into val/<class>/. The validation set is the test set, as in the papers.
    """

    def listing(self, data_dir: Path) -> tuple[Images, Images, int]:
        inner = data_dir / "tiny-imagenet-200"
        root = inner if inner.is_dir() else data_dir
        if not ((root / "train").is_dir() and (root / "val").is_dir()):
            raise UserError(f"tiny_imagenet is not in {inner}. Fetch {TINY_URL} and unpack it in {data_dir}")
        names = class_names(root / "train")
        annotations = root / "val" / "val_annotations.txt"
        test = annotated(annotations, names) if annotations.exists() else images_by_class(root / "val", names)
        return images_by_class(root / "train", names), test, len(names)


def class_names(folder: Path) -> list[str]:
    """The sorted names of the class folders in `folder`."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        raise UserError(f"{folder}: needs a folder for each of at least two classes, has {len(names)}")
    return names


def images_by_class(folder: Path, names: list[str]) -> Images:
    """All images below `folder`/<class>, sorted. Raises `UserError` naming a class folder without images."""
    found: Images = []
    for target, name in enumerate(names):
        walk = os.walk(folder / name, followlinks=True)
        files = sorted(Path(where, file) for where, _, files in walk for file in files if _is_image(file))
        if not files:
            raise UserError(f"{folder / name}: no images ({', '.join(SUFFIXES)})")
        found += [(file, target) for file in files]
    return found


def _is_image(file: str) -> bool:
    return file.lower().endswith(SUFFIXES) and not file.startswith(".")


def annotated(annotations: Path, names: list[str]) -> Images:
    """The images that `val_annotations.txt` lists (file, class, box; by tabs), from images/ beside it."""
    classes = {name: target for target, name in enumerate(names)}
    found: Images = []
    for number, line in enumerate(annotations.read_text(encoding="utf-8").splitlines(), start=1):
        file, _, rest = line.partition("\t")
        name = rest.partition("\t")[0]
        if name not in classes:
            raise UserError(f"{annotations}, line {number}: class '{name}' has no folder in train/")
        found.append((annotations.parent / "images" / file, classes[name]))
    if not found:
        raise UserError(f"{annotations}: lists no images")
    return found
