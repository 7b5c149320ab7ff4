"""Reads named tensors from safetensors, npz and torch files; never runs code that a file holds."""

import hashlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sanity.errors import UserError, reason

SUFFIXES = (".safetensors", ".npz", ".pt", ".pth", ".th", ".bin", ".ckpt", ".tar")
"""Of the files that a folder is searched for; what a file holds is told by its content, not by its name."""
_HDF5, _ZIP, _PICKLE = b"\x89HDF", b"PK\x03\x04", b"\x80"
_CACHED = 8  # files


@dataclass(frozen=True)
class TensorFile:
    """The tensors of a file.

    tensors: name -> tensor, in the file's order; nested dicts and lists are joined by dots ("model.fc.weight", "0").
    digest: the SHA-256 of the file's bytes.
    ordered: whether the order is that in which they were saved; safetensors keeps none, and names are then sorted.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    digest: str
    ordered: bool


def read(path: Path) -> TensorFile:
    """Reads the tensors of a file.

    Args:
        path: a file of safetensors, npz or torch (read with weights_only); told apart by content.

    Raises:
        UserError: in one line, where there is no such file, it is damaged or of another format, holds no tensors, or
            could be read only by running code that it holds.
    """
    stamp = _stamp(path)
    return _read(path, *stamp)


def digest(path: Path) -> str:
    """Returns the SHA-256 of the bytes of a file. Raises `UserError` where it cannot be read."""
    stamp = _stamp(path)
    return _digest(path, *stamp)


def _stamp(path: Path) -> tuple[int, int]:
    """The time and size of a file, which tell whether it has changed since it was read."""
    try:
        if not path.is_file():
            raise UserError(f"{path}: there is no such file")
        status = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    return status.st_mtime_ns, status.st_size


@lru_cache(_CACHED)
def _digest(path: Path, _time: int, _size: int) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


@lru_cache(_CACHED)
def _read(path: Path, time: int, size: int) -> TensorFile:
    digest_of_file = _digest(path, time, size)
    reader = _reader(path)
    tensors = dict(_flat(reader(path), ""))
    if not tensors:
        raise UserError(f"{path}: holds no tensors")
    return TensorFile(path, tensors, digest_of_file, ordered=reader is not _safetensors)


def _reader(path: Path) -> Callable[[Path], Any]:
    """The function that reads a file of this content."""
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise UserError(f"{path}: is empty")
    if start.startswith(_HDF5):
        raise UserError(f"{path}: is HDF5; convert it with numpy.savez(PATH, **{{name: mask}})")
    if start.startswith(_ZIP):
        return _torch_or_npz
    if start[8:9] == b"{":
        return _safetensors
    if start.startswith(_PICKLE):
        return _torch
    raise UserError(f"{path}: is none of safetensors, npz and torch (.pt, .pth), or is damaged at its start")


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys(), key=natural)}
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{path}: is damaged or incomplete ({reason(error)})") from None


def _torch_or_npz(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        raise UserError(f"{path}: is damaged or incomplete (its zip directory is missing)") from None
    if any(name.endswith("data.pkl") for name in names):
        return _torch(path)
    if not all(name.endswith(".npy") for name in names):
        raise UserError(f"{path}: is a zip file, but neither of torch nor of numpy")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _from_numpy(arrays[name], f"{path}: '{name}'") for name in arrays.files}
    except UserError:
        raise
    except ValueError as error:
        if "pickle" not in str(error):
            raise UserError(f"{path}: is damaged ({reason(error)})") from None
        raise UserError(
            f"{path}: holds Python objects, which run code when they are read; save plain arrays: "
            "numpy.savez(PATH, **{name: mask.astype('uint8')})"
        ) from None
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is damaged or incomplete ({reason(error)})") from None


def _from_numpy(array: np.ndarray, where: str) -> Tensor:
    try:
        return torch.from_numpy(np.ascontiguousarray(array))
    except TypeError:
        raise UserError(f"{where} holds {array.dtype}, not numbers") from None


def _torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)|global ([\w.]+)", str(error))
        held = f" ({named[1] or named[2]})" if named else ""
        raise UserError(
            f"{path}: holds Python objects{held}, which run code when they are read, so it was not read; where its "
            "code is at hand and trusted, write the tensors alone: torch.save({name: mask for each layer}, PATH) or "
            "torch.save(model.state_dict(), PATH)"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError, TypeError, IndexError) as error:
        raise UserError(f"{path}: is damaged or incomplete ({reason(error)})") from None


def _flat(content: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested dicts and lists, by their path; numbers and text beside them are no part of a ticket."""
    if isinstance(content, Tensor):
        yield prefix or "0", content.detach().to_dense() if content.is_sparse else content.detach()
    elif isinstance(content, Mapping | list | tuple):
        entries = content.items() if isinstance(content, Mapping) else enumerate(content)
        for name, value in entries:
            yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers inside names by their value: conv2 before conv10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
