"""Measures whether a check left the function of a network as it was, before training."""

import torch
from torch import Tensor

from sanity.grid.experiment import Experiment
from sanity.grid.ticket_source import TicketSource

_EXAMPLES = 64


@torch.no_grad()
def function_gap(source: TicketSource, control: TicketSource, experiment: Experiment) -> float:
    """Returns the largest difference of the logits of two tickets before training, over the largest logit.

    In float64 on the CPU, on test examples, in evaluation mode: rounding leaves less than 1e-9.
    """
    first, second = (_logits(ticket, experiment) for ticket in (source, control))
    largest = float(second.abs().max())
    return float((first - second).abs().max()) / largest if largest else float(first.abs().max())


def _logits(source: TicketSource, experiment: Experiment) -> Tensor:
    test = experiment.test
    images = test.fetch(torch.arange(min(_EXAMPLES, len(test)))).cpu()
    net = experiment.loaded(source.load(experiment).start()).double().eval()
    logits: Tensor = net(test.normalise(images, torch.float64))
    return logits
