"""Image files to one uint8 tensor: decoded once, in parallel, and remembered in the user's cache folder."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sanity.errors import UserError
from sanity.store import tensor_files
from sanity.store.files import CannotWrite

FORMAT = 1  # part of the cache's key: raise it when `decode` gives other bytes for the same files


def decode(files: Sequence[Path], size: int | None, cache: bool) -> Tensor:
    """(N, 3, H, W) uint8 RGB of `files`, in their order; `size` resizes each to size x size.

    Raises `UserError` naming an image that cannot be read, or whose size differs from the first one's.
    """
    cached = cache_folder() / f"{_digest(files, size)}.safetensors"
    with suppress(OSError, KeyError):
        if cache and (found := tensor_files.read(cached)):
            return found[0]["examples"]
    examples = _decode(files, size)
    if cache:
        with suppress(CannotWrite):  # what cannot be kept is decoded again
            tensor_files.write(cached, {"examples": examples})
    return examples


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/pruning-sanity`, by default below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pruning-sanity"


def _digest(files: Sequence[Path], size: int | None) -> str:
    digest = hashlib.sha256(f"{FORMAT} {size}".encode())
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise UserError(f"{file}: unreadable image ({error.strerror})") from error
        digest.update(f"\n{file.absolute()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _decode(files: Sequence[Path], size: int | None) -> Tensor:
    first = _pixels(files[0], size)
    pixels = np.empty((len(files), *first.shape), dtype=np.uint8)

    def fill(index: int) -> None:
        image = _pixels(files[index], size)
        if image.shape != first.shape:
            shapes = " and ".join(f"{width}x{height}" for height, width, _ in (image.shape, first.shape))
            raise UserError(f"{files[index]} and {files[0]} differ in size ({shapes}); the option size= resizes all")
        pixels[index] = image

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(fill, range(len(files))):
            pass
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def _pixels(file: Path, size: int | None) -> np.ndarray:
    """(H, W, 3) uint8."""
    try:
        with Image.open(file) as image:
            if image.mode[0] in "IF":
                raise ValueError(f"mode {image.mode}, more than 8 bits a channel")
            colour = image.convert("RGB")
            return np.asarray(colour if size is None else colour.resize((size, size), Image.Resampling.BILINEAR))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file}: unreadable image ({error})") from error
