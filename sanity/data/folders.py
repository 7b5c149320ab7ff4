"""Reads data sets that are folders of images: any image folder, Tiny-ImageNet and ImageNet."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from sanity.data.decoding import cache_folder, decode
from sanity.data.image_files import ImageFiles
from sanity.data.source import Known, MissingDataError, Source, Split, occurrences
from sanity.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp", ".gif")
TINY_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
IMAGENET_HELP = (
    "Fetch ILSVRC 2012 from https://image-net.org (it asks for an account) and unpack it into a folder for each wnid, "
    "as torchvision.datasets.ImageNet does"
)
Images = list[tuple[Path, int]]  # the file and the class of each image


@dataclass(frozen=True)
class ImageFolder(Source):
    """Any folder with train/<class>/ and test/<class>/ (or val/<class>/); images of one size, or set size=.

    Images are decoded once to RGB (alpha dropped, grey repeated). Examples are ordered one of every class in turn, so
    that every prefix of them is balanced.

    size: resize all images to size x size pixels.
    resize: scale the shorter side to this many pixels instead, and keep the central size x size, as is usual for
        photographs (256 and size=224); needs in_memory=false, since random crops are taken from the whole files.
    in_memory: false leaves the images in their files; threads decode them ahead of each step, in every epoch anew.
    decode: where photographs that are reframed (`resize`) are decoded: on the `cpu`, or on the `gpu` that trains, by
        torchvision's decoder, whose pixels differ by rounding. The latter has never been run.
    cache: keep the decoded images in the user's cache folder, under a digest of their names, sizes, times and inodes.
    """

    size: Annotated[int, Field(ge=1)] | None = None
    resize: Annotated[int, Field(ge=1)] | None = None
    in_memory: bool = True
    decode: Literal["cpu", "gpu"] = "cpu"
    cache: bool = True

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        self._check_sizes()
        train, test, classes = self.listing(data_dir)
        cache = cache_folder() if self.cache else None
        return self._decoded(train, self.limit, cache), self._decoded(test, self.test_limit, cache), classes

    def _check_sizes(self) -> None:
        """Raises `UserError` for a `resize` that does not fit the other options."""
        if self.resize is None:
            if self.decode == "gpu":
                raise UserError("dataset.decode=gpu: needs dataset.resize and dataset.size, as of photographs")
            return
        if self.in_memory:
            raise UserError(
                f"dataset.resize={self.resize}: needs dataset.in_memory=false; set it, or dataset.resize=null"
            )
        if self.size is None or self.size > self.resize:
            shown = "null" if self.size is None else self.size
            raise UserError(f"dataset.resize={self.resize}: needs a dataset.size of at most that, not {shown}")

    def listing(self, data_dir: Path) -> tuple[Images, Images, int]:
        """Lists the training images and the test images, before any limit, and counts the classes."""
        layout = f"imagefolder wants train/<class>/ and test/<class>/ (or val/<class>/) in data_dir={data_dir}"
        if not (data_dir / "train").is_dir():
            raise UserError(f"{layout}, but there is no folder {data_dir / 'train'}")
        tests = [folder for folder in (data_dir / "test", data_dir / "val") if folder.is_dir()]
        if not tests:
            raise UserError(f"{layout}, but there is neither test/ nor val/")
        names = class_names(data_dir / "train")
        if names != class_names(tests[0]):
            odd = sorted(set(names) ^ set(class_names(tests[0])))
            raise UserError(f"{data_dir}: class '{odd[0]}' is in only one of train/ and {tests[0].name}/")
        return images_by_class(data_dir / "train", names), images_by_class(tests[0], names), len(names)

    def _decoded(self, images: Images, limit: int | None, cache: Path | None) -> Split:
        targets = torch.tensor([target for _, target in images])
        order = occurrences(targets).argsort(stable=True)[:limit]
        files = [images[i][0] for i in order.tolist()]
        if self.in_memory:
            return Split(decode(files, self.size, cache), targets[order])
        return Split(ImageFiles(files, self.size, cache, self.resize, self.decode == "gpu"), targets[order])


@dataclass(frozen=True)
class TinyImageNet(ImageFolder):
    """Tiny-ImageNet: 100,000 training and 10,000 validation images of 200 classes, 64x64 colour.

    `data_dir` is the folder tiny-imagenet-200 or the one that holds it; val/ as published, with val_annotations.txt, or
    sorted into val/<class>/. The validation set is the test set, as in the papers.
    """

    known = Known(100_000, 10_000, (3, 64, 64), 200)

    def listing(self, data_dir: Path) -> tuple[Images, Images, int]:
        inner = data_dir / "tiny-imagenet-200"
        root = inner if inner.is_dir() else data_dir
        if not ((root / "train").is_dir() and (root / "val").is_dir()):
            raise MissingDataError(f"tiny_imagenet is not in {inner}. Fetch {TINY_URL} and unpack it in {data_dir}")
        names = class_names(root / "train")
        annotations = root / "val" / "val_annotations.txt"
        test = annotated(annotations, names) if annotations.exists() else images_by_class(root / "val", names)
        return images_by_class(root / "train", names), test, len(names)


@dataclass(frozen=True)
class ImageNet(ImageFolder):
    """ImageNet (ILSVRC 2012): 1,281,167 training and 50,000 validation photographs of 1,000 classes, 224x224.

    `data_dir` is the folder (or holds a folder `imagenet`) with train/<wnid>/ and val/<wnid>/, as torchvision lays it
    out; nothing is downloaded. The validation set is the test set, as in the papers. Photographs stay in their files:
    test images are the centre of the resized ones, and so are training images where a method scores them;
    `recipe.crop_scale` crops the training images at random from the whole files.
    """

    known = Known(1_281_167, 50_000, (3, 224, 224), 1000)
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    size: Annotated[int, Field(ge=1)] | None = 224
    resize: Annotated[int, Field(ge=1)] | None = 256
    in_memory: bool = False

    def listing(self, data_dir: Path) -> tuple[Images, Images, int]:
        inner = data_dir / "imagenet"
        root = inner if inner.is_dir() else data_dir
        if not ((root / "train").is_dir() and (root / "val").is_dir()):
            raise MissingDataError(
                f"imagenet: neither {data_dir} nor {inner} has folders train/ and val/. {IMAGENET_HELP}"
            )
        if not any(entry.is_dir() for entry in os.scandir(root / "val")):
            raise UserError(f"{root / 'val'}: has no folder for each class. {IMAGENET_HELP}")
        names = class_names(root / "train")
        if names != class_names(root / "val"):
            odd = sorted(set(names) ^ set(class_names(root / "val")))
            raise UserError(f"{root}: class '{odd[0]}' is in only one of train/ and val/")
        return images_by_class(root / "train", names), images_by_class(root / "val", names), len(names)


def class_names(folder: Path) -> list[str]:
    """Lists the names of the class folders in `folder`, sorted.

    Raises `UserError` for fewer than two, and for one folder under two names.
    """
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        raise UserError(f"{folder}: needs a folder for each of at least two classes, has {len(names)}")
    owners: dict[tuple[int, int], str] = {}
    for name in names:
        owner = owners.setdefault(_place(folder / name), name)
        if owner != name:
            raise UserError(f"{folder}: the classes '{owner}' and '{name}' are one folder, by a link")
    return names


def images_by_class(folder: Path, names: list[str]) -> Images:
    """Lists all images below `folder`/<class>, sorted. Raises `UserError` naming a class folder without images.

    Links to folders are followed, but each folder counts once: a link to a class or to a parent of it, which
    would give images twice or under another class, adds nothing.
    """
    classes = [folder / name for name in names]
    passed = {_place(path) for path in (*classes, *folder.absolute().parents, folder, *folder.resolve().parents)}
    images: Images = []
    for target, path in enumerate(classes):
        files = _image_files(path, passed)
        if not files:
            raise UserError(f"{path}: no images ({', '.join(SUFFIXES)})")
        images += [(file, target) for file in files]
    return images


def _image_files(root: Path, passed: set[tuple[int, int]]) -> list[Path]:
    """Lists the images in `root` and its subfolders, sorted. `passed`: folders that links must not lead into."""
    files: list[Path] = []
    folders, links = [root], list[Path]()
    visited = set(passed)
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)  # visits a folder by its own path before a link to it
        if folder != root and _place(folder) in visited:
            continue
        visited.add(_place(folder))
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append(Path(entry.path))
            elif entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith("."):
                if not entry.is_file():
                    raise UserError(f"{entry.path}: unreadable image (a broken link, a pipe or a device)")
                files.append(Path(entry.path))
    return sorted(files)


def _place(folder: Path) -> tuple[int, int]:
    """Identifies a folder, so that two paths to it can be recognised."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def annotated(annotations: Path, names: list[str]) -> Images:
    """Lists the images of `val_annotations.txt` (tab-separated file, class, box), which are in images/ beside it.

    Raises `UserError` naming a line whose class is unknown or whose file lies anywhere else.
    """
    classes = {name: target for target, name in enumerate(names)}
    images: Images = []
    lines = os.fsdecode(annotations.read_bytes()).split("\n")  # decodes names as the file system does
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        file, _, rest = line.rstrip("\r").partition("\t")
        name = rest.partition("\t")[0]
        if name not in classes:
            raise UserError(f"{annotations}, line {number}: class {name!a} has no folder in train/")
        if Path(file).name != file or file in ("", "..") or "\0" in file:
            raise UserError(f"{annotations}, line {number}: {file!a} is no name of a file in images/")
        images.append((annotations.parent / "images" / file, classes[name]))
    if not images:
        raise UserError(f"{annotations}: lists no images")
    return images
