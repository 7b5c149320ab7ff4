"""Writes tickets in forms that other code reads: names and tensors as torch.nn.utils.prune has them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from sanity.store.files import replacing
from sanity.tickets import Ticket

Content = Mapping[str, Tensor]


def content(ticket: Ticket) -> dict[str, Tensor]:
    """Returns a ticket as a state dict: `weight_orig` and `weight_mask` of pruned layers, the rest as it is.

    A tensor that the network holds under several names is there once. `weight_orig` has all weights, removed ones too.
    """
    state: dict[str, Tensor] = {}
    for name, value in ticket.weights.items():
        if name in ticket.tied:
            continue
        if name in ticket.mask:
            state[f"{name}_orig"] = value
            state[f"{name}_mask"] = ticket.mask[name].to(value.dtype)
        else:
            state[name] = value
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}


def _safetensors(state: Content, path: Path) -> None:
    save_file(dict(state), path)


def _torch(state: Content, path: Path) -> None:
    with path.open("wb") as file:
        torch.save(dict(state), file)


def _npz(state: Content, path: Path) -> None:
    arrays: dict[str, Any] = {name: value.numpy() for name, value in state.items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


WRITERS: Mapping[str, tuple[str, Callable[[Content, Path], None]]] = {
    "safetensors": (".safetensors", _safetensors),
    "torch": (".pt", _torch),
    "npz": (".npz", _npz),
}
"""Format -> the end of its files' names, and what writes them."""


def write(ticket: Ticket, path: Path, form: str) -> None:
    """Writes a ticket to `path`, whole or not at all, in a format of `WRITERS`. Raises `CannotWrite`."""
    with replacing(path) as temporary:
        WRITERS[form][1](content(ticket), temporary)
