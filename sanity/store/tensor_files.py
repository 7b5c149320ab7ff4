"""Named tensors in a file that tells by its digest whether it is what was written (safetensors, never pickle)."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sanity.store.files import CannotWrite, replacing

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


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> None:
    """Puts tensors and facts (what JSON holds) at `path`, whole or not at all. Raises `CannotWrite`."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts or {}, sort_keys=True)
    with replacing(path) as temporary:
        try:
            save_file(content, temporary, metadata={"facts": text, "digest": digest(content, text)})
        except SafetensorError as error:  # a full disk, for one
            raise CannotWrite(f"{path}: {error}") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write` wrote; None where there is nothing, and None with a line in the log where it is damaged.

    A file without a digest, as earlier versions wrote them, is taken as it is. Raises `OSError` where a file that may
    be sound cannot be read now.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        facts = metadata.get("facts", "{}")
        if "digest" in metadata and digest(tensors, facts) != metadata["digest"]:
            raise ValueError("its content does not match its digest")
        return tensors, json.loads(facts)
    except (SafetensorError, ValueError) as error:
        log.warning("%s is damaged and is not used: %s", path, str(error).splitlines()[0])
        return None


def is_whole(path: Path) -> bool:
    """Whether the file at `path` is there in its full length; reads its header only. Raises `OSError` as `read`."""
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt"):
            return True
    except SafetensorError:
        return False
