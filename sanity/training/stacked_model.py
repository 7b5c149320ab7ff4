"""Holds the weights, masks and optimizer state of tickets that train together, and keeps pruned weights as they are."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sanity.recipes import Recipe
from sanity.training.job import TrainingSpec
from sanity.training.learnt_masks import LearntMasks
from sanity.training.optimizer import drop_gradients, make_optimizer, not_decayed, optimizer_state, scales
from sanity.training.stacked_linear import StackedLinear, stack
from sanity.training.ticket_share import Shares, Single, Stacked


class StackedModel:
    """Holds one network on the device; for several tickets, each of its tensors holds those of all.

    learnt: the scores that are trained in place of weights. trained: the module whose parameters are trained.
    """

    def __init__(
        self,
        jobs: Sequence[TrainingSpec],
        recipe: Recipe,
        device: torch.device,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.tickets, self.device, self.layout = len(jobs), device, layout
        models, masks = [job.model for job in jobs], [job.mask or {} for job in jobs]
        self.network = (stack(models, masks) if self.tickets > 1 else copy.deepcopy(models[0])).to(device)
        if layout != torch.contiguous_format:
            self.network.to(memory_format=layout)
        layers = {name: module for name, module in self.network.named_modules() if isinstance(module, StackedLinear)}
        self.sparse = {f"{name}.weight".lstrip("."): layer for name, layer in layers.items() if layer.where is not None}
        self.masks = self._masks(masks)
        self.frozen = self._frozen(jobs)
        names = scales(models[0])
        self.scales = [parameter for name, parameter in self.network.named_parameters() if name in names]
        self.changes_mask = self._changes_mask(jobs)
        learnt = [job.learns for job in jobs if job.learns is not None]
        self.learnt = LearntMasks(self.network, learnt) if learnt else None
        self.trained = self.network if self.learnt is None else self.learnt.scores
        self.optimizer = make_optimizer(recipe, self.trained, device, not_decayed(recipe, models[0]))
        self.apply_masks()

    def _masks(self, masks: Sequence[Mapping[str, Tensor]]) -> list[tuple[nn.Parameter, Tensor]]:
        """Pairs each masked parameter with its mask as numbers, in the parameter's own memory format."""
        parameters = dict(self.network.named_parameters())
        masked = {name for mask in masks for name in mask}
        if unknown := masked - set(parameters):
            raise ValueError(f"the mask names {min(unknown)}, which is no parameter of the model")
        factors = []
        for name in (name for name in parameters if name in masked and name not in self.sparse):
            factor = torch.ones_like(parameters[name], requires_grad=False)
            for index, mask in enumerate(masks):
                if name in mask:
                    self._shares(name, factor).write(index, mask[name])
            factors.append((parameters[name], factor))
        return factors

    def _frozen(self, jobs: Sequence[TrainingSpec]) -> list[Tensor]:
        """Returns the values at which pruned weights stay, a tensor a mask; empty where they are zero."""
        if any(job.frozen for job in jobs) and self.tickets > 1:
            raise ValueError("tickets whose pruned weights are frozen cannot be stacked")
        return [parameter.detach().clone() for parameter, _ in self.masks] if jobs[0].frozen else []

    def _changes_mask(self, jobs: Sequence[TrainingSpec]) -> bool:
        changes = any(job.updates is not None for job in jobs)
        if changes and (self.tickets > 1 or self.frozen):
            raise ValueError("a ticket whose mask changes can neither be stacked nor have frozen weights")
        if changes and not self.masks:
            raise ValueError("a mask that changes must be given, be it all ones")
        return changes

    def _shares(self, name: str, tensor: Tensor) -> Shares:
        """Returns the tickets' shares of `tensor`, which is, or is shaped like, the parameter or buffer `name`."""
        if self.tickets == 1 or tensor.ndim == 0:
            return Single(tensor)
        return self.sparse[name].shares(tensor) if name in self.sparse else Stacked(tensor)

    @torch.no_grad()
    def apply_masks(self) -> None:
        """Sets the pruned weights, be they NaN, to zero or to the values at which they are frozen."""
        self.restore_frozen()
        for parameter, mask in self.masks if not self.frozen else ():
            parameter.masked_fill_(mask == 0, 0.0)

    @torch.no_grad()
    def restore_frozen(self) -> None:
        """Sets frozen weights back to their values after a step: unlike zeros they feel weight decay."""
        for (parameter, mask), value in zip(self.masks, self.frozen, strict=False):
            parameter.copy_(torch.where(mask == 0, value, parameter))

    def mask_gradients(self) -> None:
        """Zeroes the pruned weights' gradients: a zero weight with zero momentum then stays zero in every optimizer."""
        masked = [(parameter.grad, mask) for parameter, mask in self.masks if parameter.grad is not None]
        if masked:
            torch._foreach_mul_([gradient for gradient, _ in masked], [mask for _, mask in masked])

    def step(self) -> None:
        """Takes the optimizer's step on the gradients that are there."""
        if self.learnt is not None:
            self.learnt.take_gradients()
        self.optimizer.step()
        if self.learnt is not None:
            self.learnt.apply()

    def penalise_scales(self, strength: float) -> None:
        """Adds the gradient of `strength` times the sum of the absolute scales of batch norm; 0: nothing."""
        if strength:
            for scale in self.scales:
                if scale.grad is not None:
                    scale.grad.add_(scale.detach().sign(), alpha=strength)

    def clip_gradients(self, norm: float | None) -> None:
        """Scales the gradients of a single ticket down to `norm` where all together are longer; None: never."""
        if norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), norm)

    def _by_name(self) -> dict[str, tuple[nn.Parameter, Tensor]]:
        """Returns the masked parameters of a single ticket and their masks as numbers, by name."""
        names = {id(parameter): name for name, parameter in self.network.named_parameters()}
        return {names[id(parameter)]: (parameter, factor) for parameter, factor in self.masks}

    def mask(self) -> dict[str, Tensor]:
        """Returns the present mask of a single ticket: boolean, on the device."""
        return {name: factor != 0 for name, (_, factor) in self._by_name().items()}

    def masked_weights(self) -> dict[str, Tensor]:
        """Returns the weights of a single ticket that have a mask."""
        return {name: parameter.detach() for name, (parameter, _) in self._by_name().items()}

    def gradients(self) -> dict[str, Tensor]:
        """Returns the gradients by all weights that have a mask, of a single ticket; zero where there is none."""
        masked = {name: parameter for name, (parameter, _) in self._by_name().items()}
        return {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in masked.items()}

    @torch.no_grad()
    def set_mask(self, mask: Mapping[str, Tensor]) -> None:
        """Gives a single ticket another mask. A weight that goes or comes is zero, and so is the optimizer's memory."""
        for name, (parameter, factor) in self._by_name().items():
            anew = ~(mask[name] & (factor != 0))
            factor.copy_(mask[name])
            moments = [value for value in self.optimizer.state.get(parameter, {}).values() if torch.is_tensor(value)]
            for tensor in [parameter, *(moment for moment in moments if moment.shape == parameter.shape)]:
                tensor.masked_fill_(anew, 0.0)

    def check_masks(self, index: int) -> None:
        """Raises `RuntimeError` where a pruned weight of the ticket `index` is not exactly zero, or as frozen."""
        values = self.frozen or [torch.zeros((), device=self.device)] * len(self.masks)
        for (parameter, mask), value in zip(self.masks, values, strict=True):
            revived = self._shares("", (parameter != value) & (mask == 0)).read(index)
            if bool(revived.any()):
                raise RuntimeError("a pruned weight came back to life in training; this is a defect of the suite")

    def weights(self, index: int) -> dict[str, Tensor]:
        """Returns the state dict of one ticket, on the CPU."""
        tensors = self.network.state_dict()
        return {name: self._shares(name, tensor).read(index) for name, tensor in tensors.items()}

    def state(self, index: int) -> dict[str, Tensor]:
        """Returns all that the next step of one ticket depends on, beside the data, on the CPU."""
        state = {f"weights/{name}": tensor for name, tensor in self.weights(index).items()}
        for label, moment in optimizer_state(self.optimizer, self.trained).items():
            _, name = label.split("/")
            state[f"optimizer/{label}"] = self._shares(name, moment).read(index)
        if self.changes_mask:
            state |= {f"mask/{name}": layer.cpu() for name, layer in self.mask().items()}
        state |= {} if self.learnt is None else self.learnt.state(index)
        return {**state, "noise": self._noise()}

    @torch.no_grad()
    def load(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Restores what `state` gave, one mapping a ticket."""
        for name, tensor in self.network.state_dict().items():
            for index, state in enumerate(states):
                self._shares(name, tensor).write(index, state[f"weights/{name}"])
        parameters = dict(self.trained.named_parameters())
        for label in (label for label in states[0] if label.startswith("optimizer/")):
            _, key, name = label.split("/")
            like = torch.empty_like(parameters[name], requires_grad=False)
            moment = like if states[0][label].ndim else states[0][label].to(self.device)
            for index, state in enumerate(states):
                self._shares(name, moment).write(index, state[label])
            self.optimizer.state[parameters[name]][key] = moment
        for name, (_, factor) in self._by_name().items() if self.changes_mask else ():
            factor.copy_(states[0][f"mask/{name}"])
        if self.learnt is not None:
            self.learnt.load(states)
        self._set_noise(states[0]["noise"])

    def _noise(self) -> Tensor:
        """Returns the state of the generator that dropout draws from."""
        return torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else torch.get_rng_state()

    def _set_noise(self, state: Tensor) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state, self.device)
        else:
            torch.set_rng_state(state)

    @contextmanager
    def rehearsal(self, *further: Tensor) -> Iterator[None]:
        """Context manager; on exit, also by an error, the steps taken inside and changes of `further` are undone."""
        scores = [] if self.learnt is None else self.learnt.tensors()
        tensors = [*self.network.state_dict().values(), *scores, *(factor for _, factor in self.masks), *further]
        before = [tensor.clone() for tensor in tensors]
        moments = {name: tensor.clone() for name, tensor in optimizer_state(self.optimizer, self.trained).items()}
        noise = self._noise()
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, old in zip(tensors, before, strict=True):
                    tensor.copy_(old)
                for name, tensor in optimizer_state(self.optimizer, self.trained).items():
                    tensor.copy_(moments[name]) if name in moments else tensor.zero_()
            drop_gradients(self.optimizer)  # of a step that broke off
            self._set_noise(noise)
