"""Writes tickets in forms that other code reads: names and tensors as torch.nn.utils.prune has them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from sanity.errors import UserError
from sanity.masks.ticket import Ticket
from sanity.store.files import replacing, write_atomically

Content = Mapping[str, Tensor]
PLACE = ".json"
"""The end of the name of the file that says where on the schedule the ticket beside it starts."""


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
    """Writes a ticket to `path`, whole or not at all, in a format of `WRITERS`. Raises `CannotWrite`.

    A ticket that does not start at the beginning of the schedule, or has a length or a learning rate of its own, gets a
    JSON file beside it.
    """
    with replacing(path) as temporary:
        WRITERS[form][1](content(ticket), temporary)
    place = Place(ticket.start_epoch, ticket.epochs, ticket.learning_rate)
    if place != Place():
        fields = {
            name: value for name, value in place._asdict().items() if name != "learning_rate" or value is not None
        }
        write_atomically(path.with_suffix(PLACE), json.dumps(fields).encode())


class Place(NamedTuple):
    """Where on the schedule a ticket starts, for how many epochs it trains, and at which constant learning rate."""

    start: int | str = 0
    epochs: int | None = None
    learning_rate: float | None = None


def place_of(path: Path) -> Place:
    """Reads the place on the schedule of the ticket in `path`; the beginning and the whole of it if nothing says so.

    Raises `UserError` where the JSON file beside it is damaged.
    """
    beside = path.with_suffix(PLACE)
    if not beside.is_file():
        return Place()
    try:
        fields = json.loads(beside.read_text(encoding="utf-8"))
        place = Place(fields["start"], fields["epochs"], fields.get("learning_rate"))
        numbers = place.epochs is None or isinstance(place.epochs, int), isinstance(place.learning_rate, float | None)
        if isinstance(place.start, int | str) and all(numbers):
            return place
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{beside}: is damaged; it should hold start and epochs of the ticket in {path.name}")
