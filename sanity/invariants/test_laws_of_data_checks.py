"""What each check of the search's data keeps and destroys, measured."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats

import checks
import methods
from checks.noise_inputs import Noise, clipped_normal
from checks.transfer import fitted
from sanity.data.dataset import Dataset, load, statistics
from sanity.data.examples import View
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import prunable
from sanity.seeds import generator


def corrupted(name: str, data: Dataset, seed: int = 0, **options: Any) -> Dataset:
    return checks.get(name, **options).corrupt(data, generator(seed))


def dark(examples: int = 400) -> Dataset:
    """Images whose channels differ in brightness and spread, most pixels black, as in images of digits."""
    images = nets.dataset(examples).pixels.float()
    scale = torch.tensor([1.0, 0.5, 0.2]).view(3, 1, 1)
    images = ((images - 180).clamp(min=0) * 3 * scale).round().to(torch.uint8)
    return replace(nets.dataset(examples), examples=images)


def test_noise_has_the_datas_moments_and_nothing_of_its_images() -> None:
    data = dark()
    seen = corrupted("noise_inputs", data)
    assert torch.equal(seen.targets, data.targets)
    for ours, theirs in zip(statistics(seen.examples), statistics(data.examples), strict=True):
        assert ours == pytest.approx(theirs, abs=0.01)
    values = torch.stack([data.pixels.flatten().float(), seen.pixels.flatten().float()])
    within = values - values.view(2, -1, 3, 36).mean((1, 3), keepdim=True).expand(2, len(data), 3, 36).reshape(2, -1)
    assert abs(float(torch.corrcoef(within)[0, 1])) < 4 / values.shape[1] ** 0.5


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.1), (0.13, 0.31), (0.29, 0.35), (0.05, 0.2), (0.9, 0.05)])
def test_the_cut_normal_distribution_has_these_moments(mean: float, std: float) -> None:
    location, scale = clipped_normal(mean, std)
    values = (location + scale * torch.randn(200_000, generator=generator(0), dtype=torch.float64)).clamp(0, 1)
    assert float(values.mean()) == pytest.approx(mean, abs=0.003)
    assert float(values.std()) == pytest.approx(std, abs=0.003)


def test_a_constant_channel_becomes_that_constant() -> None:
    data = replace(nets.dataset(), examples=torch.full_like(nets.dataset().pixels, 77))
    assert (corrupted("noise_inputs", data).pixels == 77).all()


def test_noise_in_place_of_images_that_are_read_on_demand_is_that_of_images_in_memory() -> None:
    data = nets.dataset(40)
    lazy = corrupted("noise_inputs", replace(data, examples=View(data.pixels)))
    assert isinstance(lazy.examples, Noise)
    some = torch.tensor([7, 3, 39])
    assert torch.equal(lazy.fetch(some), corrupted("noise_inputs", data).pixels[some])


@pytest.mark.parametrize("value", ["black", "mean"])
def test_blank_images_are_all_the_same_and_labels_stay(value: str) -> None:
    data = nets.dataset()
    seen = corrupted("blank_inputs", data, value=value)
    assert torch.equal(seen.targets, data.targets)
    assert len(seen.pixels.flatten(1).unique(dim=0)) == 1
    normalised = seen.normalise(seen.fetch(torch.arange(4)))
    if value == "black":
        assert not seen.pixels.any()
    else:
        assert float(normalised.abs().max()) <= 0.5 / 255 / min(data.std) + 1e-6, "zeros but for the rounding"


def test_blank_images_leave_the_first_layer_next_to_no_gradient_where_they_are_mean() -> None:
    net = nets.net("perceptron")
    gradients = {}
    for value in ("black", "mean"):
        batches = nets.batches(corrupted("blank_inputs", nets.dataset(), value=value))
        scores = methods.get("snip").score(net, batches, generator(0))
        first = next(iter(prunable(net)))
        gradients[value] = float(scores[first].abs().sum() / sum(score.abs().sum() for score in scores.values()))
    assert gradients["mean"] < 0.05 * gradients["black"]


def test_one_class_is_all_examples_of_one() -> None:
    data = nets.dataset(50)
    labels = {int(corrupted("one_class", data, seed).targets.unique()) for seed in range(60)}
    assert labels == set(range(nets.CLASSES)), "every class is drawn by some seed"
    seen = corrupted("one_class", data, label=2)
    assert torch.equal(seen.pixels, data.pixels[data.targets == 2])
    with pytest.raises(UserError, match=r"one_class\.label=9: .*no example of it; classes are 0 to 3"):
        corrupted("one_class", data, label=9)


def test_one_class_lets_a_method_draw_as_many_examples_whatever_their_class() -> None:
    check = checks.get("one_class")
    assert check.alter(methods.get("snip")) == methods.get("snip", balanced=False)
    for name in ("magnitude", "synflow", "random"):
        assert check.alter(methods.get(name)) == methods.get(name)


@pytest.mark.parametrize("p", [0.1, 0.3, 1.0])
def test_label_noise_redraws_exactly_that_share_uniformly(p: float) -> None:
    data = replace(nets.dataset(4000), targets=torch.zeros(4000, dtype=torch.int64))
    seen = corrupted("label_noise", data, p=p)
    assert torch.equal(seen.pixels, data.pixels)
    counts = seen.targets.bincount(minlength=nets.CLASSES)
    redrawn = round(p * 4000)
    expected = [4000 - redrawn + redrawn / 4, *[redrawn / 4] * 3]
    assert stats.chisquare(counts, expected).pvalue > 0.001
    assert int((seen.targets != 0).sum()) <= redrawn


def test_a_larger_share_of_label_noise_contains_a_smaller_one() -> None:
    data = nets.dataset(400)
    small, large = (corrupted("label_noise", data, p=p).targets for p in (0.2, 0.7))
    moved = small != data.targets
    assert moved.any()
    assert torch.equal(small[moved], large[moved])


@pytest.mark.parametrize("n", [3, 8, 50])
def test_examples_are_n_with_their_labels_and_balanced(n: int) -> None:
    data = replace(nets.dataset(50), classes=4)
    numbered = replace(data, examples=torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(50, 3, 6, 6))
    seen = corrupted("examples", numbered, n=n)
    origin = seen.pixels[:, 0, 0, 0].long()
    assert len(origin.unique()) == n, "no example twice"
    assert torch.equal(seen.targets, data.targets[origin])
    counts = seen.targets.bincount(minlength=4)
    assert int(counts.max() - counts.min()) <= 1
    more = corrupted("examples", numbered, n=min(n + 5, 50)).pixels[:, 0, 0, 0].long()
    assert set(origin.tolist()) <= set(more.tolist()), "more examples contain fewer"


def test_examples_are_what_a_method_scores_on() -> None:
    check = checks.get("examples", n=7)
    assert check.alter(methods.get("snip")) == methods.get("snip", examples=7)
    assert check.alter(methods.get("synflow")) == methods.get("synflow")
    with pytest.raises(UserError, match=r"examples\.n=49: the training set has 48 examples"):
        corrupted("examples", nets.dataset(), n=49)


def test_transfer_shows_the_other_data_set_in_this_shape() -> None:
    data = nets.dataset(40)
    seen, other = corrupted("transfer", data), load("digits", limit=40)[0]
    assert seen.input_shape == data.input_shape
    assert torch.equal(seen.targets, other.targets % nets.CLASSES), "labels are folded"
    assert torch.equal(seen.pixels, fitted(other.pixels, data.input_shape))
    assert (seen.mean, seen.std) == statistics(seen.examples), "normalised by its own statistics"
    assert torch.equal(seen.pixels[:, 0], seen.pixels[:, 2]), "grey is repeated over the channels"


def test_what_cannot_be_transferred_is_refused() -> None:
    with pytest.raises(UserError, match=r"transfer\.dataset=digits: has 10 classes, noise has 20"):
        corrupted("transfer", replace(nets.dataset(40), classes=20))
    with pytest.raises(UserError, match=r"transfer\.dataset=digits: is the run's own data set"):
        corrupted("transfer", replace(nets.dataset(40), name="digits"))
    with pytest.raises(UserError, match=r"transfer\.dataset=imagefolder: .*'digits', 'mnist'"):
        checks.get("transfer", dataset="imagefolder")


def test_fitting_averages_colours_and_keeps_plain_images_plain() -> None:
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 8, 8)
    assert (fitted(red, (1, 8, 8)) == round(0.299 * 200)).all()
    assert (fitted(red, (3, 13, 5)) == red[:, :, :1, :1]).all()
