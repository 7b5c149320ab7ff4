"""Defines networks that cannot be trained or pruned here, and classes that are no networks."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from sanity.models.base import InputShape, Model


def _model(make: Callable[[int], nn.Module]) -> type[Model]:
    @dataclass(frozen=True)
    class Made(Model):
        """Made by a function of the number of classes, for images of 8 x 8."""

        def build(self, input_shape: InputShape, classes: int) -> nn.Module:
            return make(classes)

    return Made


def _flat(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), layer)


class _Versioned(nn.Linear):
    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}

    def set_extra_state(self, state: object) -> None:
        pass


class _Pair(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x), x  # type: ignore[return-value]


class _Detached(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class _FailsInEvaluation(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            raise KeyError("running_mean")
        return super().forward(x)


class _BadReset(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc, self.scale = nn.Linear(64, classes), nn.Parameter(torch.ones(1))

    def reset_parameters(self) -> None:
        raise RuntimeError("no such file")


def _pruned(classes: int) -> nn.Module:
    layer = nn.Linear(64, classes)
    prune.random_unstructured(layer, "weight", 0.5)
    return _flat(layer)


OtherSize = _model(lambda classes: _flat(nn.Linear(28 * 28, classes)))
FewClasses = _model(lambda classes: _flat(nn.Linear(64, classes - 1)))
NotFlat = _model(lambda classes: nn.Linear(8, classes))
Pair = _model(lambda classes: _flat(_Pair(64, classes)))
Detached = _model(lambda classes: _flat(_Detached(64, classes)))
FailsInEvaluation = _model(lambda classes: _flat(_FailsInEvaluation(64, classes)))
Double = _model(lambda classes: _flat(nn.Linear(64, classes)).double())
Half = _model(lambda classes: _flat(nn.Linear(64, classes)).half())
Complex = _model(lambda classes: _flat(nn.Linear(64, classes, dtype=torch.complex64)))
WeightNorm = _model(lambda classes: _flat(nn.utils.weight_norm(nn.Linear(64, classes))))
Orthogonal = _model(lambda classes: _flat(parametrizations.orthogonal(nn.Linear(64, classes))))
Pruned = _model(_pruned)
ExtraState = _model(lambda classes: _flat(_Versioned(64, classes)))
BadReset = _model(_BadReset)
Raises = _model(lambda classes: nn.Sequential(nn.Linear("wide", classes)))  # type: ignore[arg-type]
Exits = _model(lambda classes: sys.exit(0))
Nothing = _model(lambda classes: None)  # type: ignore[arg-type, return-value]
NoWeights = _model(lambda classes: nn.Flatten())
Lazy = _model(lambda classes: _flat(nn.LazyLinear(classes)))


class Plain(nn.Module):
    """A network without weights."""


class NoNetwork:
    """A class that is neither a network nor a class of models."""


@dataclass(frozen=True)
class Unfinished(Model):
    """Says nothing of how it is built."""
