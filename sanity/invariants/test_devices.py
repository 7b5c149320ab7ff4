"""Every method and check works where the data are: on a GPU, nothing it makes is left behind on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from checks.base import Check
from methods.base import Method
from sanity.invariants import nets
from sanity.invariants.elsewhere import DEVICE, NeedsValues, dataset, elsewhere, moved
from sanity.seeds import generator


@contextmanager
def apart() -> Iterator[None]:
    """Fails where tensors of two devices meet; skips what needs values, which only a real device has."""
    try:
        with elsewhere():
            yield
    except NeedsValues as needed:
        pytest.skip(f"goes by values that only a real device has: {needed}")
    except RuntimeError as error:
        pytest.fail(f"mixes the data's device with the CPU: {error}")


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_scores_are_made_on_the_networks_device(preset: Method, name: str) -> None:
    model, batches = nets.net(name, double=preset.double), nets.batches(double=preset.double)
    with apart():
        moved(model)
        there = [(images.to(DEVICE), targets.to(DEVICE)) for images, targets in batches]
        preset.prepare(model, generator(0, "prepare"))
        scores = preset.saliency(model, there, generator(0))
    left = [key for key, score in scores.items() if score.device != DEVICE]
    assert not left, f"the scores of {left} are on the CPU, while the network is not"


def test_what_the_search_sees_stays_on_the_datas_device(check: Check) -> None:
    data = nets.dataset()
    with apart():
        seen = check.corrupt(dataset(data), generator(0))
    assert (seen.examples.device, seen.targets.device) == (DEVICE, DEVICE), "corrupt moved the data to the CPU"
