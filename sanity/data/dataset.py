"""Holds data sets as uint8 examples on the training device, in memory or read ahead of their use."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanity.config.options import expanded, fill
from sanity.data import REGISTRY
from sanity.data.examples import Examples, chunks, contents, fetch, remembered, select
from sanity.data.source import Source, Split, first_of_each
from sanity.data.validation import validated
from sanity.errors import UserError

DEFAULT_DIR = Path("data")
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Holds one split: `examples` (N, C, H, W) uint8 and `targets` (N,) int64 on one device.

    `examples` is a tensor, or an `Examples` that reads or computes images on demand; `fetch` and `chunks`
    work with both. `mean` and `std` are per channel, of examples / 255; they belong to the training split and both
    splits carry them. `folder` is where data sets are read from. `is_stand_in`: the examples are only there to be
    counted, see `stand_in`.
    """

    examples: Tensor | Examples
    targets: Tensor
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    name: str = ""
    folder: Path = DEFAULT_DIR
    is_stand_in: bool = False

    def __post_init__(self) -> None:
        dtype = self.examples.dtype if isinstance(self.examples, Tensor) else torch.uint8
        if dtype != torch.uint8 or len(self.examples.shape) != 4 or len(self.examples) != len(self.targets):
            kind = f"{dtype} {tuple(self.examples.shape)}, {len(self.targets)} targets"
            raise ValueError(f"a data set's examples are uint8 (N, C, H, W) with N targets, not {kind}")

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def in_memory(self) -> bool:
        """Whether `examples` is a tensor."""
        return isinstance(self.examples, Tensor)

    @property
    def pixels(self) -> Tensor:
        """Returns all examples as one tensor. Raises `UserError` if they are read on demand."""
        if not isinstance(self.examples, Tensor):
            raise UserError(f"dataset {self.name}: all images at once are needed here; set dataset.in_memory=true")
        return self.examples

    def fetch(self, indices: Tensor) -> Tensor:
        """Returns the examples at `indices` (n,): uint8 (n, C, H, W)."""
        return fetch(self.examples, indices)

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yields all examples in order, `size` at a time."""
        return chunks(self.examples, size)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one example."""
        channels, height, width = self.examples.shape[1:]
        return channels, height, width

    def to(self, device: torch.device | str) -> "Dataset":
        """Returns the data on `device`; `self` if they are there already."""
        examples = self.examples.to(device)
        if examples is self.examples:
            return self
        moved = replace(self, examples=examples, targets=self.targets.to(device))
        if "digest" in self.__dict__:
            moved.__dict__["digest"] = self.digest
        return moved

    def subset(self, index: Tensor) -> "Dataset":
        """Returns the data set of the examples at `index`, in that order."""
        where = index.to(self.targets.device)
        return replace(self, examples=select(self.examples, where), targets=self.targets[where])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that training can depend on: shape, classes, normalisation, every example and target."""
        header = repr((tuple(self.examples.shape), self.classes, self.mean, self.std)).encode()
        targets = self.targets.contiguous().cpu().numpy().data

        def digest() -> str:
            content = hashlib.sha256(header)
            for part in contents(self.examples, 1024):
                content.update(part)
            content.update(targets)
            return content.hexdigest()

        return remembered(self.examples, f"digest {hashlib.sha256(header + bytes(targets)).hexdigest()}", digest)

    def normalise(self, examples: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Computes (examples / 255 - mean) / std for uint8 `examples` (n, C, H, W), in float32 at least."""
        exact = torch.promote_types(dtype, torch.float32)
        scale, shift = affine(self.mean, self.std, examples.device, exact)
        return examples.to(exact, copy=True).mul_(scale).sub_(shift).to(dtype)


@lru_cache(maxsize=32)
def affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Batch:
    """Returns scale and shift of normalisation, cached on the device: a copy per batch would synchronise the GPU."""
    scale = 1 / (255 * torch.tensor(std, dtype=torch.float64))
    shift = torch.tensor(mean, dtype=torch.float64) / torch.tensor(std, dtype=torch.float64)
    return scale.to(device, dtype).view(-1, 1, 1), shift.to(device, dtype).view(-1, 1, 1)


def load(name: str, /, data_dir: str | Path | None = None, **options: Any) -> tuple[Dataset, Dataset]:
    """Loads training and test split of the data set `name` onto the CPU from `data_dir` (by default ./data).

    Options: `limit`, `test_limit` for all; `download` for torchvision's; `size`, `in_memory`, `cache` for folders of
    images. Raises `UserError` for an unknown name or option, for missing data (naming the files to fetch), for corrupt
    files and for data that a network cannot be trained on.
    """
    return load_by_name(name, options, data_dir)


def load_by_name(name: str, options: Mapping[str, Any], data_dir: str | Path | None = None) -> tuple[Dataset, Dataset]:
    """Loads a data set as `load` does. options: as somebody typed them; one that is called `data_dir` is unknown."""
    source = _source(name, options)
    folder = expanded(Path(data_dir or DEFAULT_DIR), "data_dir")
    train, test, classes = validated(name, source, _read(name, source, folder))
    train, test = _limited(train, source.limit), _limited(test, source.test_limit)
    mean, std = (source.mean, source.std) if source.mean and source.std else statistics(train.examples)
    return Dataset(*train, classes, mean, std, name, folder), Dataset(*test, classes, mean, std, name, folder)


def stand_in(name: str, options: Mapping[str, Any]) -> tuple[Dataset, Dataset] | None:
    """Returns black images of the numbers, shape and classes of a published data set, which a plan can count.

    None for a data set of which these are not known without its files. Options: as for `load`.
    """
    source = _source(name, options)
    known = source.known
    if known is None:
        return None
    size = getattr(source, "size", None)
    channels, height, width = known.shape
    shape = (channels, size or height, size or width)
    mean, std = (source.mean, source.std) if source.mean and source.std else ((0.5,) * channels, (0.25,) * channels)

    def split(total: int, limit: int | None) -> Dataset:
        count = min(total, limit or total)
        examples = torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(count, *shape)
        return Dataset(examples, torch.arange(count) % known.classes, known.classes, mean, std, name, is_stand_in=True)

    return split(known.train, source.limit), split(known.test, source.test_limit)


def _source(name: str, options: Mapping[str, Any]) -> Source:
    cls: type[Source] = REGISTRY.load(name)
    if not issubclass(cls, Source):
        raise UserError(f"dataset {name} is no class that derives from sanity.data.source.Source")
    return fill(cls, options, f"dataset {name}")


def _read(name: str, source: Source, folder: Path) -> object:
    """Returns the result of the data set's `read`. Turns every error into a `UserError` of one line."""
    try:
        return source.read(folder)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"dataset {name}: {error.filename or folder}: {error.strerror or error}") from error
    except MemoryError as error:
        raise UserError(f"dataset {name}: {folder} does not fit in memory") from error
    except Exception as error:  # a user's class may raise anything
        if type(source).__module__.startswith("sanity."):
            raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"dataset {name}: its class {type(source).__name__} raises {reason}") from error


def _limited(split: Split, limit: int | None) -> Split:
    chosen = first_of_each(split.targets, limit)
    if isinstance(chosen, slice):
        return split
    return Split(select(split.examples, chosen), split.targets[chosen])


def statistics(examples: Tensor | Examples) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Computes mean and standard deviation per channel of `examples` / 255 (uint8) without a float copy of the data.

    Sums are integers, so that every machine gets the same bits. A constant channel gets the deviation 1, so that
    normalisation only centres it.
    """
    channels = range(examples.shape[1])

    def histograms() -> list[list[int]]:
        counts = torch.zeros(len(channels), 256, dtype=torch.int64, device=examples.device)
        for chunk in chunks(examples, 1024):
            counts += torch.stack([chunk[:, channel].flatten().bincount(minlength=256) for channel in channels])
        return counts.tolist()

    mean, std = [], []
    for count in remembered(examples, "histograms", histograms):
        n, total, squares = (sum(value**power * times for value, times in enumerate(count)) for power in range(3))
        mean.append(total / (255 * n))
        std.append(sqrt((n * squares - total**2) / (255 * n) ** 2) or 1.0)
    return tuple(mean), tuple(std)
