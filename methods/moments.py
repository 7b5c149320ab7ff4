"""Says whether a method scores or retrains weights of dense training, or those of the initialisation."""

from dataclasses import dataclass

from methods.settings import Settings


@dataclass(frozen=True)
class Watch:
    """How dense training is watched until the mask has settled (early-bird tickets).

    distance: the largest share by which the masks of `window` successive epochs may differ from the newest.
    """

    distance: float
    window: int


def scores_trained(method: Settings) -> bool:
    """Whether the method scores a trained network rather than the initialisation."""
    return method.scored_at not in ("init", 0, "0it")


def rewinds_to(method: Settings) -> int | str:
    """Returns the moment of dense training whose weights are retrained; 0 if the method does not rewind weights."""
    rewound = method.rewind_epoch if method.weights_at is None else method.weights_at
    moment = rewound if method.rewind == "weights" else 0
    return 0 if moment in ("0it", "init") else moment


def needs_dense(method: Settings) -> bool:
    """Whether the method starts from a training of the unpruned network."""
    return scores_trained(method) or rewinds_to(method) != 0
