"""Makes a data set of a plain function that returns its splits, as pairs of arrays or as torchvision has them."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sanity.data.source import Source, Split
from sanity.errors import UserError, of_ones_own

_CHANNELS = (1, 3)
_EXACT = 1e-3  # by how much 255 times a value may miss a whole number, as floats of bytes do


@dataclass(frozen=True)
class FunctionSource(Source):
    """The splits that a plain function returns: (train, test), or (train, test, number of classes).

    A split is a pair of arrays or tensors (images, classes), or a data set with `__len__` and `__getitem__` as those of
    torchvision, whose images are tensors, arrays or PIL's.
    """

    function: ClassVar[Callable[..., Any]]
    written: ClassVar[str]

    def read(self, data_dir: Path) -> tuple[Split, Split, int]:
        function, name = type(self).function, type(self).written
        with of_ones_own(name):
            returned = function(*([data_dir] if inspect.signature(function).parameters else []))
        if not isinstance(returned, tuple | list) or len(returned) not in (2, 3):
            raise UserError(f"{name} returns {_kind(returned)}; (train, test) or (train, test, classes) is wanted")
        splits = [
            _split(f"{name}: the {kind}", part) for kind, part in zip(("training", "test"), returned[:2], strict=True)
        ]
        seen = max(int(split.targets.max()) for split in splits if len(split.targets)) + 1
        return splits[0], splits[1], returned[2] if len(returned) == 3 else max(seen, 2)


def as_source(function: Callable[..., Any], name: str) -> type[FunctionSource]:
    """Returns the class of the data set that `function` reads; it is called with `data_dir` if it takes an argument."""
    members = {"function": staticmethod(function), "written": name, "__doc__": inspect.getdoc(function) or name}
    return type(function.__name__, (FunctionSource,), {**members, "__module__": function.__module__})


def _split(owner: str, part: Any) -> Split:
    if isinstance(part, Split):
        return part
    pair = isinstance(part, tuple | list) and len(part) == 2 and all(hasattr(entry, "shape") for entry in part)
    images, classes = part if pair else _gathered(owner, part)
    return Split(_bytes(owner, torch.as_tensor(images)), torch.as_tensor(classes))


def _gathered(owner: str, part: Any) -> tuple[Tensor, Tensor]:
    """Reads a data set of torchvision's kind, image by image. Raises `UserError` where it is none."""
    if not (hasattr(part, "__len__") and hasattr(part, "__getitem__")) or isinstance(part, str):
        raise UserError(f"{owner} split is {_kind(part)}; (images, classes) or a data set as torchvision's is wanted")
    with of_ones_own(f"{owner} split"):
        items: Sequence[Any] = [part[number] for number in range(len(part))]
        return torch.stack([_image(image) for image, _ in items]), torch.tensor([int(target) for _, target in items])


def _image(image: Any) -> Tensor:
    return image if isinstance(image, Tensor) else torch.from_numpy(np.array(image))


def _bytes(owner: str, images: Tensor) -> Tensor:
    """Returns images as uint8 (N, C, H, W): grey ones without a channel, colours last, or floats of bytes / 255 too.

    Raises `UserError` for floats that are none, such as normalised ones: the recipe normalises.
    """
    if images.dim() == 3:
        images = images.unsqueeze(1)
    if images.dim() == 4 and images.shape[1] not in _CHANNELS and images.shape[3] in _CHANNELS:
        images = images.permute(0, 3, 1, 2)
    if images.is_floating_point():
        scaled = 255 * images
        if not bool(((scaled - scaled.round()).abs() < _EXACT).all() and (images >= 0).all() and (images <= 1).all()):
            raise UserError(
                f"{owner} images are {_kind(images)}; uint8 from 0 to 255, or such bytes / 255, are wanted: leave "
                "normalisation and augmentation to the recipe"
            )
        images = scaled.round().to(torch.uint8)
    return images.contiguous()


def _kind(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"of type {type(value).__name__}" + (
        f" with {len(value)} entries" if isinstance(value, tuple | list) else ""
    )
