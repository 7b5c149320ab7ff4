"""Trains scores in place of weights: the network computes with the weights as they were drawn, under a learnt mask."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sanity.masks import Mask, RankedMask
from sanity.training.job import LearntScores
from sanity.training.ticket_share import Shares, Single, Stacked

_TIED = "tied/"


class LearntMasks:
    """Holds what the weights of a network were, the scores that are trained, and the mask that these make.

    network: of one ticket or a stack; its scored weights are, between two steps, the products of weights and factors.
    scores: a network like it whose trainable parameters are the scores, so that an optimizer takes them as weights.
    """

    def __init__(self, network: nn.Module, learnt: Sequence[LearntScores]) -> None:
        self._rules, self._stacked = [scores.rule for scores in learnt], len(learnt) > 1
        names = list(learnt[0].first)
        for each in (network, scores := copy.deepcopy(network)):
            for name, parameter in each.named_parameters():
                parameter.requires_grad_(name in names)
        self.scores = scores
        self._products = {name: network.get_parameter(name) for name in names}
        self._trained = {name: scores.get_parameter(name) for name in names}
        self._weights = {name: parameter.detach().clone() for name, parameter in self._products.items()}
        with torch.no_grad():
            for number, of_ticket in enumerate(learnt):
                for name, first in of_ticket.first.items():
                    self._shares(self._trained[name]).write(number, first)
        self._alive = [rule.first_alive(self._views(self._trained, ticket)) for ticket, rule in enumerate(self._rules)]
        self.apply()

    def _shares(self, tensor: Tensor) -> Shares:
        return Stacked(tensor) if self._stacked else Single(tensor)

    def _views(self, tensors: Mapping[str, Tensor], ticket: int) -> dict[str, Tensor]:
        """Returns a ticket's part of tensors of all tickets, which share their memory."""
        return {name: tensor.detach()[ticket] if self._stacked else tensor.detach() for name, tensor in tensors.items()}

    def take_gradients(self) -> None:
        """Moves the gradients of the network's weights to the scores; there they are those that the scores learn by."""
        gradients = {name: product.grad for name, product in self._products.items() if product.grad is not None}
        for ticket, rule in enumerate(self._rules):
            own, weights = self._views(gradients, ticket), self._views(self._weights, ticket)
            rule.by_scores(own, weights, self._views(self._trained, ticket), self._alive[ticket])
        for name, gradient in gradients.items():
            self._trained[name].grad, self._products[name].grad = gradient, None

    @torch.no_grad()
    def apply(self) -> None:
        """Lets the network compute with what the present scores keep."""
        for ticket, rule in enumerate(self._rules):
            scores, products = self._views(self._trained, ticket), self._views(self._products, ticket)
            rule.bound(scores)
            weights = self._views(self._weights, ticket)
            for name, factor in rule.factors(scores, self._alive[ticket]).items():
                torch.mul(weights[name], _numbers(factor, weights[name].dtype), out=products[name])

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> None:
        """Lets the rules freeze what they freeze after the epoch of that number, from 1; not where scores diverged."""
        for ticket, rule in enumerate(self._rules):
            if self.is_finite(ticket):
                self._alive[ticket] = rule.ended(epoch, self._views(self._trained, ticket), self._alive[ticket])
        self.apply()

    def is_finite(self, ticket: int) -> bool:
        """Returns whether all scores of a ticket are numbers."""
        return all(bool(score.isfinite().all()) for score in self._views(self._trained, ticket).values())

    def mask(self, ticket: int) -> Mask:
        """Returns the mask that a ticket has learnt, on the device."""
        return self._rules[ticket].mask(self._views(self._trained, ticket), self._alive[ticket])

    def state(self, ticket: int) -> dict[str, Tensor]:
        """Returns all that the rule of a ticket depends on, on the CPU."""
        state = {f"scores/{name}": self._shares(score).read(ticket) for name, score in self._trained.items()}
        alive = self._alive[ticket]
        state |= {f"alive/{name}": layer.cpu() for name, layer in alive.items()}
        return state | {f"{_TIED}{name}": layer.cpu() for name, layer in alive.tied.items()}

    @torch.no_grad()
    def load(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Restores what `state` gave, one mapping a ticket."""
        for ticket, state in enumerate(states):
            for name, score in self._trained.items():
                self._shares(score).write(ticket, state[f"scores/{name}"])
            for name, layer in self._alive[ticket].items():
                layer.copy_(state[f"alive/{name}"])
            alive = self._alive[ticket]
            tied = {name: state[key].to(alive[name].device) for name in alive if (key := f"{_TIED}{name}") in state}
            self._alive[ticket] = RankedMask(alive, tied)
        self.apply()

    def tensors(self) -> list[Tensor]:
        """Returns the scores, which a rehearsal of steps changes."""
        return [score.detach() for score in self._trained.values()]


def _numbers(factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns a factor as numbers; a byte is converted in a sixth of the time that a boolean takes."""
    return (factor.view(torch.uint8) if factor.dtype == torch.bool else factor).to(dtype)
