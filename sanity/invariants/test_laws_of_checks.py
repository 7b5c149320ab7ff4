"""What each built-in check keeps and destroys, measured."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import checks
import methods
from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks import allocate, expected_overlap, layers, overlap, prunable
from sanity.masks.ticket import Ticket
from sanity.models import initialise
from sanity.seeds import generator


def corrupted(name: str, data: Dataset, seed: int = 0, **options: Any) -> Dataset:
    return checks.get(name, **options).corrupt(data, generator(seed))


def perturbed(name: str, ticket: Ticket, seed: int = 0, **options: Any) -> Ticket:
    return checks.get(name, **options).perturb(ticket, generator(seed))


def multisets(images: Tensor, per_channel: bool = False) -> Tensor:
    return images.flatten(2).sort(2).values if per_channel else images.flatten(1).sort(1).values


def test_none_changes_nothing() -> None:
    data, ticket, method = nets.dataset(), nets.ticket(), methods.get("snip")
    check = checks.get("none")
    assert check.corrupt(data, generator(0)) is data
    assert check.perturb(ticket, generator(0)) is ticket
    assert check.alter(method) is method


def test_random_labels_are_uniform_and_tell_nothing_of_the_image() -> None:
    data = replace(nets.dataset(4000), targets=torch.arange(4000) // 3000)  # three of four are class 0
    seen = corrupted("random_labels", data)
    assert torch.equal(seen.pixels, data.pixels)
    assert stats.chisquare(seen.targets.bincount(minlength=nets.CLASSES)).pvalue > 0.001
    table = torch.stack([seen.targets[data.targets == label].bincount(minlength=nets.CLASSES) for label in (0, 1)])
    assert stats.chi2_contingency(table.numpy()).pvalue > 0.001
    assert float((seen.targets == data.targets).float().mean()) == pytest.approx(1 / nets.CLASSES, abs=0.03)


@pytest.mark.parametrize("channels", ["mixed", "together"])
@pytest.mark.parametrize("permutation", ["per_image", "shared"])
def test_random_pixels_keep_labels_and_every_images_multiset(channels: str, permutation: str) -> None:
    data = nets.dataset(30)
    seen = corrupted("random_pixels", data, channels=channels, permutation=permutation)
    assert torch.equal(seen.targets, data.targets)
    assert torch.equal(multisets(seen.pixels), multisets(data.pixels))
    by_channel = torch.equal(multisets(seen.pixels, True), multisets(data.pixels, True))
    assert by_channel == (channels == "together")
    assert all(not torch.equal(permuted, original) for permuted, original in zip(seen.pixels, data.pixels, strict=True))


def places(channels: str, permutation: str, examples: int, side: int = nets.SIDE) -> Tensor:
    """Where each value of every image came from: (n, values)."""
    values = torch.arange(nets.CHANNELS * side * side, dtype=torch.uint8).view(1, nets.CHANNELS, side, side)
    data = replace(nets.dataset(examples), examples=values.repeat(examples, 1, 1, 1))
    return corrupted("random_pixels", data, channels=channels, permutation=permutation).pixels.flatten(1).long()


@pytest.mark.parametrize("channels", ["mixed", "together"])
def test_random_pixels_permute_every_image_its_own_way_or_all_alike(channels: str) -> None:
    assert len(places(channels, "shared", 20).unique(dim=0)) == 1
    assert len(places(channels, "per_image", 20).unique(dim=0)) == 20


def test_random_pixels_together_moves_a_pixel_with_its_colours() -> None:
    origin = places("together", "per_image", 20).view(20, nets.CHANNELS, -1)
    step = nets.SIDE**2
    assert (origin - origin[:, :1] == torch.arange(nets.CHANNELS).view(1, -1, 1) * step).all()


def test_random_pixels_send_a_value_anywhere_alike() -> None:
    first = places("mixed", "per_image", 3000)[:, 0]
    counts = first.bincount(minlength=nets.CHANNELS * nets.SIDE**2)
    assert stats.chisquare(counts).pvalue > 0.001


def test_random_pixels_of_many_images_do_not_repeat() -> None:
    """Images are permuted in portions; a portion must not repeat the last one's permutations."""
    origin = places("mixed", "per_image", 2 * 2048 + 10, side=3)
    assert len(origin.unique(dim=0)) == len(origin)


@pytest.mark.parametrize("examples", [49, 50])
@pytest.mark.parametrize("which", ["random", "first"])
def test_half_dataset_is_half_of_the_examples_with_their_labels(examples: int, which: str) -> None:
    data = replace(nets.dataset(examples), targets=torch.arange(examples), classes=examples)
    seen = corrupted("half_dataset", data, which=which)
    assert len(seen) == 25
    assert len(seen.targets.unique()) == 25, "no example twice"
    assert torch.equal(seen.pixels, data.pixels[seen.targets]), "examples go with their labels"
    assert torch.equal(seen.targets, seen.targets.sort().values), "in the order of the data set"
    assert torch.equal(seen.targets, torch.arange(25)) == (which == "first")


def test_half_dataset_takes_every_example_equally_often() -> None:
    data = replace(nets.dataset(40), targets=torch.arange(40), classes=40)
    counts = sum(corrupted("half_dataset", data, seed).targets.bincount(minlength=40) for seed in range(400))
    assert isinstance(counts, Tensor)
    assert counts.min() > 150
    assert counts.max() < 250


def test_rearrange_keeps_counts_and_values_and_destroys_position() -> None:
    ticket = nets.ticket(ratio=0.7)
    tickets = [perturbed("layerwise_rearrange", ticket, seed) for seed in range(60)]
    assert all(layers(rearranged.mask) == layers(ticket.mask) for rearranged in tickets)
    assert not nets.changed(dict(ticket.weights), dict(tickets[0].weights))
    mean_overlap = sum(overlap(ticket.mask, rearranged.mask) for rearranged in tickets) / len(tickets)
    assert mean_overlap == pytest.approx(expected_overlap(ticket.mask, ticket.mask), abs=0.02)
    often = torch.stack([rearranged.mask["3.conv2.weight"].flatten() for rearranged in tickets]).float().mean(0)
    assert often.min() > 0, "some position is never kept"
    assert often.max() < 1, "some position is always kept"


def test_rearrange_permutes_layers_of_one_size_differently() -> None:
    mask = torch.arange(64) < 32
    ticket = Ticket({"a": torch.zeros(64), "b": torch.zeros(64)}, {"a": mask, "b": mask})
    seen = perturbed("layerwise_rearrange", ticket)
    assert not torch.equal(seen.mask["a"], seen.mask["b"])


def test_shuffle_keeps_the_mask_and_the_kept_weights_and_moves_them() -> None:
    ticket = nets.ticket(ratio=0.7)
    seen = perturbed("layerwise_shuffle", ticket)
    assert not nets.changed(dict(ticket.mask), dict(seen.mask))
    for name, mask in ticket.mask.items():
        before, after = ticket.weights[name], seen.weights[name]
        assert torch.equal(before[mask].sort().values, after[mask].sort().values), "another multiset"
        assert torch.equal(before[~mask], after[~mask]), "a pruned weight moved"
        stayed = float((before[mask] == after[mask]).float().mean())
        assert stayed < 0.2, f"{name}: the shuffle left {stayed:.0%} in place"
    others = {name: weight for name, weight in ticket.weights.items() if name not in ticket.mask}
    assert not nets.changed(others, {name: seen.weights[name] for name in others})


def test_shuffle_of_the_whole_layer_draws_from_pruned_weights_too() -> None:
    ticket = nets.ticket(ratio=0.7)
    seen = perturbed("layerwise_shuffle", ticket, scope="layer")
    assert not nets.changed(dict(ticket.mask), dict(seen.mask))
    for name, mask in ticket.mask.items():
        before, after = ticket.weights[name], seen.weights[name]
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        assert not torch.equal(before[mask].sort().values, after[mask].sort().values)


def test_reinit_keeps_mask_and_distribution_and_changes_every_weight() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 80), nn.BatchNorm1d(80), nn.Linear(80, 50))

    def fresh(source: torch.Generator) -> dict[str, Tensor]:
        initialise(model, "kaiming_fan_in", source)
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    weights = fresh(generator(1))
    masked = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in prunable(model).items()}
    ticket = Ticket(weights, masked, start_epoch=3, epochs=5, fresh=fresh)
    seen = perturbed("reinit", ticket)
    assert not nets.changed(dict(ticket.mask), dict(seen.mask))
    for name in ticket.mask:
        before, after = ticket.weights[name].flatten(), seen.weights[name].flatten()
        assert not (before == after).any()
        assert stats.ks_2samp(before.numpy(), after.numpy()).pvalue > 0.001


def test_reinit_of_a_ticket_without_its_initialisation_is_a_mistake() -> None:
    with pytest.raises(UserError, match="fresh"):
        perturbed("reinit", replace(nets.ticket(), fresh=None))


def test_invert_keeps_the_lowest_scores() -> None:
    model = nets.net("convolutional")
    for name in ("magnitude", "snip", "grasp", "synflow", "random"):
        method = methods.get(name, rounds=1)
        scores = method.score(model, nets.batches(), generator(0))
        mask = checks.get("invert").alter(method).mask(model, nets.batches(), 0.6, generator(0))
        assert not nets.changed(mask, allocate({key: -score for key, score in scores.items()}, 0.6))
        assert checks.get("invert").alter(checks.get("invert").alter(method)) == method
