"""Decodes image files into one uint8 tensor, in parallel, and caches it in the user's cache folder."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sanity.data import memory
from sanity.errors import CannotWrite, UserError
from sanity.store import tensor_files

FORMAT = 2  # part of the cache's key: increase it when `decode` returns other bytes for the same files
PIL_FORMATS = ("JPEG", "PNG", "BMP", "PPM", "TIFF", "WEBP", "GIF")
"""What Pillow may take a file for, whatever its name: it knows others, EPS among them, that start other programs."""
_BILINEAR = Image.Resampling.BILINEAR
_ADVICE = "set dataset.in_memory=false, or a smaller dataset.size, dataset.limit or dataset.test_limit"

log = logging.getLogger(__name__)


def decode(files: Sequence[Path], size: int | None, cache: Path | None) -> Tensor:
    """Decodes `files` to (N, 3, H, W) uint8 RGB, resized to size x size if `size` is set, cached in `cache`.

    Raises `UserError` naming an image that cannot be read or whose size differs from the first image's, and if all of
    them do not fit in memory.
    """
    key = files_digest(files, size)
    cached = cache / f"{key}.safetensors" if cache else None
    if cached is not None:
        with suppress(OSError, KeyError):
            if stored := tensor_files.read(cached):
                return stored[0]["examples"]
    examples = _decode(files, size)
    if cached is not None:
        with suppress(CannotWrite):  # without a cache file the next run decodes again
            tensor_files.write(cached, {"examples": examples})
    return examples


def cache_folder() -> Path | None:
    """Returns `$XDG_CACHE_HOME/pruning-sanity`, by default below ~/.cache; None, logged, if there is no home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pruning-sanity"
    except RuntimeError:
        log.warning("there is no home directory and XDG_CACHE_HOME is not set: decoded images are not kept")
        return None


def files_digest(files: Sequence[Path], size: int | str | None) -> str:
    """Hashes the paths, sizes, times and inodes of `files`, which stand for their content.

    size: how their images are resized, which is hashed, too.
    Change time (ctime) and inode distinguish files whose size and modification time a copy has preserved. Raises
    `UserError` naming a file that cannot be read or is no regular file, such as a pipe.
    """
    digest = hashlib.sha256(f"{FORMAT} {size}".encode())
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise UserError(f"{file}: unreadable image ({error.strerror})") from error
        if not S_ISREG(status.st_mode):
            raise UserError(f"{file}: unreadable image (it is no regular file)")
        written = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        digest.update(b"\n" + os.fsencode(file.absolute()) + f" {written}".encode())
    return digest.hexdigest()


def _decode(files: Sequence[Path], size: int | None) -> Tensor:
    first = pixels(files[0], size)
    description = f"{len(files)} images of {first.shape[1]}x{first.shape[0]} pixels from {files[0].parent}"
    memory.check_fits(len(files) * first.size, description, _ADVICE)
    examples = np.empty((len(files), 3, *first.shape[:2]), dtype=np.uint8)

    def fill(index: int) -> None:
        image = pixels(files[index], size)
        check_size(files[index], image, files[0], first)
        examples[index] = image.transpose(2, 0, 1)

    with ThreadPoolExecutor(_workers(files[0])) as pool:
        for _ in pool.map(fill, range(len(files))):
            pass
    return torch.from_numpy(examples)


def _workers(file: Path) -> int:
    """Returns the number of decoding threads: one per core, fewer if images of the size of `file` need much memory."""
    with Image.open(file, formats=PIL_FORMATS) as image:
        needed = 12 * image.width * image.height  # bytes of the file, RGB (4 a pixel), an array (3) and a reserve
    free = memory.available()
    return max(min(os.cpu_count() or 1, free // max(needed, 1) if free else 1 << 10), 1)


def check_size(file: Path, image: np.ndarray, first_file: Path, first: np.ndarray) -> None:
    """Raises `UserError` naming two files whose images (H, W, 3) differ in size."""
    if image.shape != first.shape:
        shapes = " and ".join(f"{width}x{height}" for height, width, _ in (image.shape, first.shape))
        raise UserError(f"{file} and {first_file} differ in size ({shapes}); the option size= resizes all")


def pixels(file: Path, size: int | None) -> np.ndarray:
    """Decodes one image to (H, W, 3) uint8, resized to size x size if `size` is set. Raises as `decoded`."""
    return decoded(file, lambda image: image if size is None else image.resize((size, size), _BILINEAR))


def decoded(file: Path, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Decodes one image, as `change` returns it, to (H, W, 3) uint8. Raises `UserError` naming an unreadable file."""
    try:
        with Image.open(file, formats=PIL_FORMATS) as image:
            if image.mode[0] in "IF":
                raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
            return np.asarray(change(image.convert("RGB")))
    except MemoryError as error:
        raise UserError(f"{file}: unreadable image (it does not fit in memory)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: unreadable image ({error})") from error


def centre(image: Image.Image, resize: int, size: int) -> Image.Image:
    """Scales the shorter side to `resize` pixels and returns the central size x size, as torchvision rounds both."""
    short, long = sorted(image.size)
    scaled = resize, int(resize * long / short)
    width, height = scaled if image.width <= image.height else scaled[::-1]
    left, top = round((width - size) / 2.0), round((height - size) / 2.0)
    return image.resize((width, height), _BILINEAR).crop((left, top, left + size, top + size))


def crop(image: Image.Image, box: Sequence[int], size: int) -> Image.Image:
    """Returns the box (top, left, height, width) of an image, resized to size x size."""
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height)).resize((size, size), _BILINEAR)
