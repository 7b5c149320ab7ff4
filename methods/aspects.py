"""Names what a mask can depend on beside the shapes of the layers, the ratio and chance.

    data      training examples
    sizes     absolute values of the prunable weights
    signs     their signs
    biases    every other parameter and buffer: biases, scales and shifts of normalisation layers
    places    where in its layer a weight lies

A method declares these by `Method.looks_at`. What a check must do to it follows from them (`Check.predicts`).
"""

from typing import Literal

Aspect = Literal["data", "sizes", "signs", "biases", "places"]
EVERYTHING: frozenset[Aspect] = frozenset({"data", "sizes", "signs", "biases", "places"})
WEIGHTS: frozenset[Aspect] = frozenset({"sizes", "signs"})
