"""Tensors and JSON on disk, whole or not at all: written atomically, read back only if the content's digest agrees."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

log = logging.getLogger(__name__)


def digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    """A hash of names, types, shapes and content, the same on every device and in every memory format."""
    total = hashlib.blake2b(digest_size=16)
    for text in texts:
        total.update(text.encode() + b"\0")
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        total.update(flat.view(torch.uint8).numpy().data)
    return total.hexdigest()


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bool:
    """Writes both to `path` in one go. False, with a line in the log, where that fails (a full disk, no permission):
    what was there before stays, and training goes on."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts, sort_keys=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(content, temporary, metadata={"facts": text, "digest": digest(content, text)})
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:
        log.warning("%s was not written, training goes on without it: %s", path, error)
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write` wrote; None where there is nothing, and None with a line in the log where it is damaged."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if digest(tensors, metadata["facts"]) != metadata["digest"]:
            raise ValueError("its content does not match its digest")
        return tensors, json.loads(metadata["facts"])
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        log.warning("%s is damaged and is not used: %s", path, str(error).splitlines()[0])
        return None
