"""Reads and writes named tensors in safetensors files with a digest of their content; never pickle."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sanity.errors import CannotRead, CannotWrite
from sanity.store.files import replacing, set_aside
from sanity.store.json_files import NEVER_READABLE, DamagedFileError, require_file

log = logging.getLogger(__name__)


def digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    """Hashes names, types, shapes and content; the hash is the same on every device and in every memory format."""
    total = hashlib.blake2b(digest_size=16)
    for text in texts:
        total.update(text.encode() + b"\0")
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        total.update(flat.view(torch.uint8).numpy().data)
    return total.hexdigest()


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> None:
    """Writes tensors and facts (JSON values) to `path` atomically; a folder at `path` is renamed first.

    Raises `CannotWrite`.
    """
    if path.is_dir() and not path.is_symlink():
        set_aside(path)
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts or {}, sort_keys=True)
    with replacing(path) as temporary:
        try:
            save_file(content, temporary, metadata={"facts": text, "digest": digest(content, text)})
        except SafetensorError as error:  # e.g. a full disk
            raise CannotWrite(f"{path}: {error}") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Reads what `write` wrote; None if the file is missing, and None with a line in the log if it is damaged.

    Files of earlier versions have no digest and are read unchecked. Raises `CannotRead` if a file that
    may be undamaged cannot be read now.
    """
    try:
        require_file(path)
        with _readable(path) as name, safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        text = metadata.get("facts", "{}")
        if "digest" in metadata and digest(tensors, text) != metadata["digest"]:
            raise DamagedFileError("its content does not match its digest")
        return tensors, json.loads(text)
    except (SafetensorError, ValueError, OSError) as error:
        _explain(path, error)
        return None


def header(path: Path) -> dict[str, Any] | None:
    """Reads the facts in the header of a file of full length; the digest is not checked.

    Returns None if the file is missing or incomplete. Raises `CannotRead` as `read`.
    """
    try:
        require_file(path)
        with _readable(path) as name, safe_open(name, framework="pt") as file:
            facts: dict[str, Any] = json.loads((file.metadata() or {}).get("facts", "{}"))
            return facts
    except (SafetensorError, ValueError, OSError) as error:
        _explain(path, error)
        return None


def is_whole(path: Path) -> bool:
    """Whether the file at `path` exists in full length. Raises `CannotRead` as `read`."""
    return header(path) is not None


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """Yields a file name that is valid text, as safetensors needs: the file's own, else that of its open descriptor."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        yield path


def _explain(path: Path, error: Exception) -> None:
    """Logs why a file cannot be used, unless it is missing. Raises `CannotRead` if it may be undamaged."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return
    if isinstance(error, OSError) and error.errno not in NEVER_READABLE:
        raise CannotRead(f"{path}: {error.strerror or error}") from error
    log.warning("%s is damaged and is not used: %s", path, str(error).splitlines()[0])
