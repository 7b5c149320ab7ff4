"""The weights, masks and optimizer state of tickets that are trained together: put in, read out, kept at zero."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sanity.recipes import Recipe
from sanity.training.checkpoint import on_cpu
from sanity.training.job import TrainingSpec
from sanity.training.optimizer import make_optimizer, norm_parameters, optimizer_state
from sanity.training.stacked_linear import StackedLinear, stack


class StackedModel:
    """One network on the device for one or several tickets; with several, its tensors hold all of theirs."""

    def __init__(self, jobs: Sequence[TrainingSpec], recipe: Recipe, device: torch.device) -> None:
        self.tickets, self.device = len(jobs), device
        models, masks = [job.model for job in jobs], [job.mask or {} for job in jobs]
        self.network = (stack(models, masks) if self.tickets > 1 else copy.deepcopy(models[0])).to(device)
        convolves = any(isinstance(module, nn.Conv2d) for module in self.network.modules())
        self.layout = torch.channels_last if convolves else torch.contiguous_format
        if convolves:
            self.network.to(memory_format=self.layout)
        layers = {name: module for name, module in self.network.named_modules() if isinstance(module, StackedLinear)}
        self.sparse = {f"{name}.weight".lstrip("."): layer for name, layer in layers.items() if layer.where is not None}
        self.masks = self._masks(masks)
        self.optimizer = make_optimizer(recipe, self.network, device, norm_parameters(models[0]))
        self.apply_masks()

    def _masks(self, masks: Sequence[Mapping[str, Tensor]]) -> list[tuple[nn.Parameter, Tensor]]:
        """Each masked parameter with its mask as numbers, in the parameter's own memory format."""
        parameters = dict(self.network.named_parameters())
        masked = {name for mask in masks for name in mask}
        if unknown := masked - set(parameters):
            raise ValueError(f"the mask names {min(unknown)}, which is no parameter of the model")
        factors = []
        for name in (name for name in parameters if name in masked and name not in self.sparse):
            factor = torch.ones_like(parameters[name], requires_grad=False)
            for index, mask in enumerate(masks):
                if name in mask:
                    self._write(name, factor, index, mask[name])
            factors.append((parameters[name], factor))
        return factors

    def _part(self, tensor: Tensor, index: int) -> Tensor:
        """The ticket `index`'s share of a tensor of the network, as a view; an optimizer's step count is shared."""
        return tensor[index] if self.tickets > 1 and tensor.ndim else tensor

    def _read(self, name: str, tensor: Tensor, index: int) -> Tensor:
        """A copy on the CPU of the share of one ticket in what belongs to the parameter or buffer `name`."""
        if name in self.sparse and tensor.ndim:
            return on_cpu(self.sparse[name].expanded(tensor.detach(), index))
        return on_cpu(self._part(tensor, index))

    def _write(self, name: str, tensor: Tensor, index: int, value: Tensor) -> None:
        """Puts `value` where `_read` would find it."""
        if name in self.sparse and tensor.ndim:
            self.sparse[name].part(tensor, index).copy_(self.sparse[name].compressed(value, index))
        else:
            self._part(tensor, index).copy_(value)

    @torch.no_grad()
    def apply_masks(self) -> None:
        """Zeroes the pruned weights, whatever they were."""
        for parameter, mask in self.masks:
            parameter.masked_fill_(mask == 0, 0.0)

    def mask_gradients(self) -> None:
        """Zeroes the pruned weights' gradients: a zero weight with zero momentum then stays zero in every optimizer."""
        masked = [(parameter.grad, mask) for parameter, mask in self.masks if parameter.grad is not None]
        if masked:
            torch._foreach_mul_([gradient for gradient, _ in masked], [mask for _, mask in masked])

    def check_masks(self, index: int) -> None:
        """Raises `RuntimeError` where a pruned weight of the ticket `index` is not exactly zero."""
        for parameter, mask in self.masks:
            if bool(((self._part(parameter, index) != 0) & (self._part(mask, index) == 0)).any()):
                raise RuntimeError("a pruned weight came back to life in training; this is a defect of the suite")

    def weights(self, index: int) -> dict[str, Tensor]:
        """The state dict of one ticket, on the CPU."""
        return {name: self._read(name, tensor, index) for name, tensor in self.network.state_dict().items()}

    def state(self, index: int) -> dict[str, Tensor]:
        """All that the next step of one ticket depends on, beside the data, on the CPU."""
        moments = optimizer_state(self.optimizer, self.network)
        return {
            **{f"weights/{name}": tensor for name, tensor in self.weights(index).items()},
            **{f"optimizer/{label}": self._read(label.partition("/")[2], moments[label], index) for label in moments},
            "noise": self._noise(),
        }

    @torch.no_grad()
    def load(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Puts back what `state` gave, one mapping a ticket."""
        for name, tensor in self.network.state_dict().items():
            for index, state in enumerate(states):
                self._write(name, tensor, index, state[f"weights/{name}"])
        parameters = dict(self.network.named_parameters())
        for label in (label for label in states[0] if label.startswith("optimizer/")):
            _, key, name = label.split("/")
            like = torch.empty_like(parameters[name], requires_grad=False)
            moment = like if states[0][label].ndim else states[0][label].to(self.device)
            for index, state in enumerate(states):
                self._write(name, moment, index, state[label])
            self.optimizer.state[parameters[name]][key] = moment
        self._set_noise(states[0]["noise"])

    def _noise(self) -> Tensor:
        """The state of the generator that dropout draws from."""
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else torch.get_rng_state()

    def _set_noise(self, state: Tensor) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)

    @contextmanager
    def rehearsal(self, *others: Tensor) -> Iterator[None]:
        """Steps taken inside are undone, as are changes of `others`: warming up and timing leave no trace."""
        tensors = [*self.network.state_dict().values(), *others]
        before = [tensor.clone() for tensor in tensors]
        moments = {name: tensor.clone() for name, tensor in optimizer_state(self.optimizer, self.network).items()}
        noise = self._noise()
        yield
        with torch.no_grad():
            for tensor, old in zip(tensors, before, strict=True):
                tensor.copy_(old)
            for name, tensor in optimizer_state(self.optimizer, self.network).items():
                tensor.copy_(moments[name]) if name in moments else tensor.zero_()
        self._set_noise(noise)
