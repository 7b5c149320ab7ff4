"""Every method and check works where the data are: on a GPU, nothing it makes is left behind on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from checks.base import Check
from methods.base import Method
from sanity.invariants import nets
from sanity.seeds import generator

elsewhere = pytest.importorskip("sanity.invariants.elsewhere", exc_type=ImportError)  # torch's own parts may move


@contextmanager
def apart() -> Iterator[None]:
    """Fails where tensors of two devices meet; skips what cannot be told without values or without a real device."""
    try:
        with elsewhere.elsewhere():
            yield
    except elsewhere.Mixed as mixed:
        pytest.fail(f"mixes the data's device with the CPU: {mixed}")
    except Exception as other:
        pytest.skip(f"cannot be told without a real device: {type(other).__name__}: {other}")


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_scores_are_made_on_the_networks_device(preset: Method, name: str) -> None:
    model, batches = nets.net(name, double=preset.double), nets.batches(double=preset.double)
    with apart():
        model.to(elsewhere.DEVICE)
        there = [(images.to(elsewhere.DEVICE), targets.to(elsewhere.DEVICE)) for images, targets in batches]
        preset.prepare(model, generator(0, "prepare"))
        scores = preset.saliency(model, there, generator(0))
    left = [key for key, score in scores.items() if score.device != elsewhere.DEVICE]
    assert not left, f"the scores of {left} are on the CPU, while the network is not"


def test_what_the_search_sees_stays_on_the_datas_device(check: Check) -> None:
    data = nets.dataset()
    with apart():
        seen = check.corrupt(elsewhere.dataset(data), generator(0))
    places = (seen.examples.device, seen.targets.device)
    assert places == (elsewhere.DEVICE, elsewhere.DEVICE), "corrupt moved the data to the CPU"
