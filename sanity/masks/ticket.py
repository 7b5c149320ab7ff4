"""Defines a ticket: the mask, initial weights and starting point of the schedule for training a pruned network."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from sanity.masks.updates import MaskUpdates
from sanity.seeds import derive


@dataclass(frozen=True)
class Ticket:
    """A sparse network before its retraining (initial, random, partially-trained or hybrid; Su et al. 2020).

    weights: the whole state dict, buffers included, pruned weights at any value (training starts them at zero).
    mask: parameter name -> boolean tensor of the weight's shape, true where the weight is kept.
    start_epoch: the moment of the recipe's schedule at which retraining begins: an epoch or an iteration (`1000it`).
    epochs: the length of retraining; None trains to the end of the schedule.
    learning_rate: the constant learning rate of retraining; None: the schedule's.
    fresh: draws a new network from the initialisation's distribution (the `reinit` check needs it).
    tied: further name -> first name of a tensor that the state dict lists under several names; `mask` has only the
        first name, and a check's change of that tensor applies to all names.
    pattern: which weights are kept together (see `sanity.masks.patterns`); a rearranged mask has the same pattern.
    groups: parameter name -> in how many groups of channels a convolution is cut; 1 where it is not named.
    network: the network whose state `weights` is, for checks that need its wiring; never to be changed.
    frozen: whether pruned weights stay at their values of `weights`, untrained, instead of zero.
    follows: from the mask, the masks of what goes with it: the scales, shifts and biases of whole channels.
    updates: how the mask changes while the ticket trains; None: it stays.
    end: the state dict at the end of dense training, where a check needs it (`Check.needs_end`).
    reference: the mask of the method that a check refers to (`Check.refers_to`), of the same network and ratio.
    """

    weights: Mapping[str, Tensor]
    mask: Mapping[str, Tensor]
    start_epoch: int | str = 0
    epochs: int | None = None
    fresh: Callable[[torch.Generator], Mapping[str, Tensor]] | None = None
    tied: Mapping[str, str] = field(default_factory=dict)
    pattern: str = "unstructured"
    groups: Mapping[str, int] = field(default_factory=dict)
    network: nn.Module | None = field(default=None, repr=False)
    frozen: bool = False
    reference: Mapping[str, Tensor] | None = None
    follows: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    end: Mapping[str, Tensor] | None = None
    updates: MaskUpdates | None = None
    learning_rate: float | None = None

    @cached_property
    def trained_mask(self) -> Mapping[str, Tensor]:
        """`mask`, and the masks of what goes with it."""
        return self.mask if self.follows is None else {**self.mask, **self.follows(self.mask)}

    def start(self) -> dict[str, Tensor]:
        """Returns the state dict that training starts from: `weights`, pruned ones set to zero unless `frozen`."""
        zeroed = {} if self.frozen else self.trained_mask
        masked = {
            name: weight.masked_fill(~zeroed[name], 0) if name in zeroed else weight
            for name, weight in self.weights.items()
        }
        return masked | {name: masked[first] for name, first in self.tied.items()}

    def with_weights(
        self, change: Callable[[Tensor, Tensor, torch.Generator], Tensor], generator: torch.Generator
    ) -> "Ticket":
        """Returns the ticket with the weights of each layer of the mask changed.

        change: from a layer's weight, its mask and a generator of that layer alone, its new weight.
        """
        changed = {
            name: change(self.weights[name], layer, derive(generator, name)) for name, layer in self.mask.items()
        }
        return replace(self, weights={**self.weights, **changed})

    def digest(self) -> str:
        """Hashes everything that retraining depends on; tickets of equal digest train to the same network."""
        further = ("/frozen" if self.frozen else "") + (f"/{self.updates.text()}" if self.updates else "")
        further += f"/at {self.learning_rate!r}" if self.learning_rate is not None else ""
        summary = hashlib.sha256(f"{self.start_epoch}/{self.epochs}{further}".encode())
        start = self.start()
        for name in sorted(start):
            summary.update(f"{name}/{tuple(start[name].shape)}/{start[name].dtype}".encode())
            summary.update(start[name].detach().cpu().contiguous().numpy().tobytes())
        for name in sorted(self.trained_mask):
            summary.update(name.encode() + self.trained_mask[name].cpu().contiguous().numpy().tobytes())
        return summary.hexdigest()


def tied_names(model: nn.Module) -> dict[str, str]:
    """Returns further name -> first name of every parameter that `model` holds under several names."""
    first: dict[int, str] = {}
    tied: dict[str, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if first.setdefault(id(parameter), name) != name:
            tied[name] = first[id(parameter)]
    return tied


def channel_groups(model: nn.Module) -> dict[str, int]:
    """Returns parameter name -> groups of every convolution of `model` whose channels are cut into several groups."""
    return {
        f"{prefix}.weight".removeprefix("."): module.groups
        for prefix, module in model.named_modules()
        if isinstance(module, _ConvNd) and module.groups > 1
    }
