"""Small layers take one thread, large ones all; nothing of it outlasts the work."""

import pytest
import torch

from sanity import models
from sanity.training.cpu_threads import fitting

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.mark.parametrize(("side", "examples", "threads"), [(8, 64, 1), (32, 128, 2)])
def test_threads_follow_the_size_of_a_layers_work(side: int, examples: int, threads: int) -> None:
    shape = (1, side, side)
    net = models.build("resnet20", shape, 10, generator=torch.Generator())
    with fitting(net, shape, examples):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2


def test_threads_come_back_after_an_error() -> None:
    net = models.build("resnet20", (1, 8, 8), 10, generator=torch.Generator())

    def fail() -> None:
        with fitting(net, (1, 8, 8), 1):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == 2
