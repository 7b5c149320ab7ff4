"""Checks on images of four pixels and layers of four weights, and the mistakes that a user can make with them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import checks
from checks.base import Check, Composed, from_class
from sanity.data.dataset import Dataset
from sanity.errors import UserError
from sanity.masks.ticket import Ticket, channel_groups, tied_names
from sanity.seeds import generator


def data() -> Dataset:
    """Four images of one channel and 2x2 pixels: 0..3, 10..13, 20..23, 30..33."""
    images = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2) + 10 * torch.arange(4, dtype=torch.uint8).view(
        4, 1, 1, 1
    )
    return Dataset(images, torch.tensor([0, 1, 0, 1]), 2, (0.5,), (0.25,))


def ticket() -> Ticket:
    """One layer of four weights, of which the last two are kept, and a bias."""
    weights = {"0.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "0.bias": torch.tensor([5.0, 6.0])}
    return Ticket(weights, {"0.weight": torch.tensor([[False, False], [True, True]])}, start_epoch=2)


def seen(name: str, seed: int, **options: Any) -> Dataset:
    return checks.get(name, **options).corrupt(data(), generator(seed))


def given(name: str, seed: int, **options: Any) -> Ticket:
    return checks.get(name, **options).perturb(ticket(), generator(seed))


def test_random_labels_take_all_sixteen_values() -> None:
    assert {tuple(seen("random_labels", seed).targets.tolist()) for seed in range(200)} == {
        (a, b, c, d) for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)
    }


def test_random_pixels_stay_in_their_image() -> None:
    images = seen("random_pixels", 0).pixels.flatten(1)
    assert images.sort(1).values.tolist() == [[10 * i + j for j in range(4)] for i in range(4)]
    orders = {
        tuple((images[i] % 10).tolist())
        for seed in range(200)
        for i, images in [(0, seen("random_pixels", seed).pixels.flatten(1))]
    }
    assert len(orders) == 24, "every order of four pixels occurs"


def test_shared_random_pixels_move_alike_in_every_image() -> None:
    images = seen("random_pixels", 0, permutation="shared").pixels.flatten(1) % 10
    assert len(images.unique(dim=0)) == 1
    assert (
        len({tuple(seen("random_pixels", s, permutation="shared").pixels[0].flatten().tolist()) for s in range(200)})
        == 24
    )


def test_half_dataset_takes_two_of_four_in_order() -> None:
    halves = {tuple((seen("half_dataset", seed).pixels[:, 0, 0, 0] // 10).tolist()) for seed in range(100)}
    assert halves == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert seen("half_dataset", 0, which="first").pixels[:, 0, 0, 0].tolist() == [0, 10]


def test_rearrange_moves_two_ones_to_any_two_of_four_places() -> None:
    masks = {tuple(given("layerwise_rearrange", seed).mask["0.weight"].flatten().tolist()) for seed in range(100)}
    assert len(masks) == 6
    assert all(sum(mask) == 2 for mask in masks)


def test_shuffle_swaps_the_two_kept_weights_or_leaves_them() -> None:
    weights = {tuple(given("layerwise_shuffle", seed).weights["0.weight"].flatten().tolist()) for seed in range(50)}
    assert weights == {(1, 2, 3, 4), (1, 2, 4, 3)}
    whole = {
        tuple(given("layerwise_shuffle", s, scope="layer").weights["0.weight"].flatten().tolist()) for s in range(300)
    }
    assert len(whole) == 24
    assert torch.equal(given("layerwise_shuffle", 0, scope="layer").weights["0.bias"], ticket().weights["0.bias"])


def test_reinit_takes_what_the_ticket_draws() -> None:
    def fresh(source: torch.Generator) -> dict[str, torch.Tensor]:
        return {"0.weight": torch.rand(2, 2, generator=source), "0.bias": torch.zeros(2)}

    before = ticket()
    reborn = checks.get("reinit").perturb(Ticket(before.weights, before.mask, 2, 7, fresh), generator(3))
    assert torch.equal(reborn.weights["0.weight"], torch.rand(2, 2, generator=generator(3)))
    assert torch.equal(reborn.weights["0.bias"], torch.zeros(2))
    assert torch.equal(reborn.mask["0.weight"], before.mask["0.weight"])
    assert (reborn.start_epoch, reborn.epochs) == (2, 7)


def test_a_ticket_starts_with_its_pruned_weights_at_zero() -> None:
    assert ticket().start()["0.weight"].tolist() == [[0, 0], [3, 4]]
    assert ticket().start()["0.bias"].tolist() == [5, 6]


def test_tickets_that_train_alike_have_one_digest() -> None:
    mask = ticket().mask
    other = Ticket({**ticket().weights, "0.weight": torch.tensor([[-9.0, 0.0], [3.0, 4.0]])}, mask, start_epoch=2)
    assert other.digest() == ticket().digest(), "what is pruned does not matter"
    moved = {**ticket().weights, "0.bias": torch.tensor([6.0, 5.0])}
    unmasked = {"0.weight": torch.tensor([[0.0, 0.0], [3.0, 4.0]]), "0.bias": ticket().weights["0.bias"]}
    ones = {"0.weight": torch.ones(2, 2, dtype=torch.bool)}
    others = [Ticket(moved, mask, 2), Ticket(ticket().weights, mask, 3), Ticket(ticket().weights, mask, 2, 9)]
    others.append(Ticket(unmasked, ones, 2))
    assert len({ticket().digest(), *(each.digest() for each in others)}) == 5


def test_a_dose_that_is_no_number_is_a_mistake() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Dosed(Check):
        dose: ClassVar[str] = "share"
        share: float = 0.0

    with pytest.raises(UserError, match="check mine: its dose 'share' should be an option that is a number above 0"):
        from_class(Dosed, "mine", {})
    assert from_class(Dosed, "mine", {"share": "0.5"}).dose == "share"


def tied_ticket() -> Ticket:
    """One weight under two names, and a layer of its own."""
    first = nn.Linear(4, 4, bias=False)
    second = nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    net = nn.Sequential(first, second, nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        first.weight.copy_(torch.arange(1.0, 17).view(4, 4))
    mask = {"0.weight": torch.arange(16).view(4, 4) % 2 == 0, "2.weight": torch.ones(2, 4, dtype=torch.bool)}
    weights = {name: weight.detach().clone() for name, weight in net.state_dict().items()}
    return Ticket(weights, mask, tied=tied_names(net))


def test_a_weight_under_two_names_has_one_value_under_both() -> None:
    before = tied_ticket()
    assert dict(before.tied) == {"1.weight": "0.weight"}
    assert before.start()["1.weight"].flatten().tolist() == [1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11, 0, 13, 0, 15, 0]
    for name in ("layerwise_shuffle", "layerwise_rearrange"):
        after = checks.get(name).perturb(before, generator(0))
        start = after.start()
        assert torch.equal(start["0.weight"], start["1.weight"]), name
        assert not torch.equal(start["1.weight"], before.start()["1.weight"]), name
        assert after.digest() != before.digest()
    kept_values = checks.get("layerwise_shuffle").perturb(before, generator(0)).start()["1.weight"]
    assert kept_values[before.mask["0.weight"]].sort().values.tolist() == [1, 3, 5, 7, 9, 11, 13, 15]


def test_a_mask_of_two_of_four_keeps_its_pattern() -> None:
    mask = {"0.weight": torch.tensor([[True, True, False, False, True, False, True, False]])}
    ticket = Ticket({"0.weight": torch.arange(8.0)[None]}, mask, pattern="2:4")
    moved = [checks.get("layerwise_rearrange").perturb(ticket, generator(seed)).mask["0.weight"] for seed in range(400)]
    assert all((each.view(2, 4).sum(1) == 2).all() for each in moved)
    assert len({tuple(each.flatten().tolist()) for each in moved}) == 36


def test_composed_checks_take_options_by_part() -> None:
    check = checks.get("half_dataset + random_labels", {"half_dataset": {"which": "first"}})
    assert isinstance(check, Composed)
    half = check.corrupt(data(), generator(0))
    assert half.pixels[:, 0, 0, 0].tolist() == [0, 10]
    assert list(check.parts) == ["half_dataset", "random_labels"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("random_label", {}, r"unknown check 'random_label'\. Did you mean 'random_labels'\?"),
        ("random_labels+random_labels", {}, "names a part twice"),
        ("random_labels", {"which": "first"}, r"random_labels takes no options, but got 'which'"),
        ("half_dataset", {"which": "last"}, r"half_dataset\.which=last: .*'random' or 'first'"),
        (
            "random_pixels",
            {"channel": "mixed"},
            r"unknown option of random_pixels 'channel'\. Did you mean 'channels'\?",
        ),
        ("torch:Tensor", {}, "is no class that derives from checks.base.Check"),
    ],
)
def test_mistakes_are_one_clear_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        checks.get(name, **options)
    assert "\n" not in str(caught.value)


def test_a_ticket_can_know_the_groups_of_its_convolutions() -> None:
    net = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Conv2d(8, 8, 1), nn.ConvTranspose2d(8, 8, 2, groups=4))
    assert channel_groups(net) == {"0.weight": 2, "2.weight": 4}
    assert channel_groups(nn.Conv1d(6, 6, 3, groups=6)) == {"weight": 6}
