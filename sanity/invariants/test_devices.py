"""Every method and check works where the data are: on a GPU, nothing it makes is left behind on the CPU."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from checks.base import Check
from methods.base import Method
from sanity.invariants import nets
from sanity.seeds import generator

meta_device = pytest.importorskip("sanity.invariants.meta_device", exc_type=ImportError)  # torch's own parts may move


CHOSEN_BY_VALUES = ("noise_inputs", "one_class", "transfer")
"""Checks whose data are chosen by what they hold, so that without values nothing can be told."""
NO_SCALES = "no batch norm scales"


@contextmanager
def apart(must_tell: bool) -> Iterator[None]:
    """Fails where tensors of two devices meet; skips what cannot be told without values or without a real device.

    must_tell: whether that, too, fails, except in a network that lacks what the method scores.
    """
    try:
        with meta_device.on_meta_device():
            yield
    except meta_device.Mixed as mixed:
        pytest.fail(f"mixes the data's device with the CPU: {mixed}")
    except Exception as other:
        reason = f"cannot be told without a real device: {type(other).__name__}: {other}"
        if must_tell and NO_SCALES not in str(other):
            pytest.fail(reason)
        pytest.skip(reason)


def _is_ours(subject: Method | Check) -> bool:
    return type(subject).__module__.partition(".")[0] in ("methods", "checks")


@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_scores_are_made_on_the_networks_device(preset: Method, name: str) -> None:
    model, batches = nets.net(name, double=preset.double), nets.batches(double=preset.double)
    with apart(must_tell=_is_ours(preset) and not preset.constructs):
        model.to(meta_device.DEVICE)
        there = [(images.to(meta_device.DEVICE), targets.to(meta_device.DEVICE)) for images, targets in batches]
        preset.prepare(model, generator(0, "prepare"))
        scores = preset.saliency(model, there, generator(0))
    on_cpu = [key for key, score in scores.items() if score.device != meta_device.DEVICE]
    assert not on_cpu, f"the scores of {on_cpu} are on the CPU, while the network is not"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["convolutional", "shortcut"])
def test_a_gpu_gives_the_scores_and_the_mask_of_the_cpu(preset: Method, name: str) -> None:
    model, batches = nets.net(name), nets.batches()
    moved = copy.deepcopy(model).to("cuda")
    there = [(images.to("cuda"), targets.to("cuda")) for images, targets in batches]
    scores, gpu_scores = preset.score(model, batches), preset.score(moved, there)
    for key, score in scores.items():
        off = float((gpu_scores[key].cpu() - score).abs().max())
        assert off <= 1e-5 * float(score.abs().max()), f"{key}: scores differ by {off:.1e}"
    once = replace(preset, rounds=1, removed_per_round=None, allocation="global")
    mask, again = once.mask(model, batches, 0.5), once.mask(moved, there, 0.5)
    threshold = min(float(scores[key][layer].min()) for key, layer in mask.items() if layer.any())
    tie = 2e-5 * max(float(score.abs().max()) for score in scores.values())
    for key, layer in mask.items():
        near = (scores[key] - threshold).abs() <= tie
        assert bool((near | (again[key].cpu() == layer)).all()), f"{key}: the masks differ by more than ties"


def test_what_the_search_sees_stays_on_the_datas_device(check: Check, check_name: str) -> None:
    data = nets.dataset()
    with apart(must_tell=_is_ours(check) and check_name not in CHOSEN_BY_VALUES):
        seen = check.corrupt(meta_device.dataset(data), generator(0))
    places = (seen.examples.device, seen.targets.device)
    assert places == (meta_device.DEVICE, meta_device.DEVICE), "corrupt moved the data to the CPU"
