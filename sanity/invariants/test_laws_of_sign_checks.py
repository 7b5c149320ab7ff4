"""What each check of signs and magnitudes keeps and destroys, measured."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import checks
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.masks.ticket import Ticket
from sanity.models import initialise
from sanity.seeds import generator

MAGNITUDES = ("signed_reinit", "signed_constant", "signed_shuffle")


def perturbed(name: str, ticket: Ticket, seed: int = 0, **options: Any) -> Ticket:
    return checks.get(name, **options).perturb(ticket, generator(seed))


def ticket(ratio: float = 0.7) -> Ticket:
    """A ticket of a perceptron whose layers are large enough for tests of distributions."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 80), nn.BatchNorm1d(80), nn.Linear(80, 50))

    def fresh(source: torch.Generator) -> dict[str, Tensor]:
        initialise(model, "kaiming_fan_in", source)
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    weights = fresh(generator(1))
    mask = {
        name: torch.rand(weights[name].shape, generator=generator(2, name)) > ratio for name in ("1.weight", "3.weight")
    }
    return Ticket(weights, mask, start_epoch=3, epochs=5, fresh=fresh)


@pytest.mark.parametrize("name", MAGNITUDES)
def test_magnitudes_go_while_mask_signs_and_all_else_stay(name: str) -> None:
    before = ticket()
    after = perturbed(name, before)
    assert not nets.changed(dict(before.mask), dict(after.mask))
    others = [other for other in before.weights if other not in before.mask]
    assert not nets.changed({key: before.weights[key] for key in others}, {key: after.weights[key] for key in others})
    for layer, mask in before.mask.items():
        old, new = before.weights[layer][mask], after.weights[layer][mask]
        assert torch.equal(old.sign(), new.sign())
        assert float((old == new).float().mean()) < 0.05
        if len(new.abs().unique()) > 1:
            correlation = stats.spearmanr(old.abs().numpy(), new.abs().numpy()).statistic
            assert abs(correlation) < 4 / len(old) ** 0.5, "the old magnitudes are still to be seen"


def test_signed_reinit_draws_from_the_initialisation() -> None:
    before = ticket()
    after = perturbed("signed_reinit", before)
    for layer in before.mask:
        assert stats.ks_2samp(before.weights[layer].flatten(), after.weights[layer].flatten()).pvalue > 0.001
    with pytest.raises(UserError, match=r"signed_reinit needs .*Ticket\.fresh"):
        perturbed("signed_reinit", replace(before, fresh=None))


def test_signed_constant_has_one_magnitude_a_layer_its_standard_deviation() -> None:
    before = ticket()
    after = perturbed("signed_constant", before)
    for layer, mask in before.mask.items():
        expected = before.weights[layer].double().std(correction=0)
        assert torch.allclose(after.weights[layer][mask].abs().double(), expected.expand(int(mask.sum())))


def test_signed_shuffle_keeps_the_multiset_of_magnitudes() -> None:
    before = ticket()
    after = perturbed("signed_shuffle", before)
    for layer, mask in before.mask.items():
        old, new = before.weights[layer], after.weights[layer]
        assert torch.equal(old[mask].abs().sort().values, new[mask].abs().sort().values)
        assert torch.equal(old[~mask], new[~mask])


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_sign_flip_keeps_magnitudes_and_flips_exactly_that_share(p: float) -> None:
    before = ticket()
    after = perturbed("sign_flip", before, p=p)
    assert not nets.changed(dict(before.mask), dict(after.mask))
    for layer, mask in before.mask.items():
        old, new = before.weights[layer], after.weights[layer]
        assert torch.equal(old.abs(), new.abs())
        assert int((old[mask] != new[mask]).sum()) == round(p * int(mask.sum()))
        assert torch.equal(old[~mask], new[~mask])


def test_signs_of_the_end_are_those_of_the_trained_network_on_the_magnitudes_of_the_ticket() -> None:
    start = ticket()
    end = {name: torch.randn(weight.shape, generator=generator(9, name)) for name, weight in start.weights.items()}
    end["1.weight"][0, 0] = 0
    after = perturbed("sign_of_end", replace(start, end=end))
    assert not nets.changed(dict(start.mask), dict(after.mask))
    for layer in start.mask:
        assert torch.equal(after.weights[layer].abs(), start.weights[layer].abs())
        expected = torch.where(end[layer] == 0, start.weights[layer].sign(), end[layer].sign())
        assert torch.equal(after.weights[layer].sign(), expected)
    others = [name for name in start.weights if name not in start.mask]
    assert not nets.changed({key: start.weights[key] for key in others}, {key: after.weights[key] for key in others})
    with pytest.raises(UserError, match=r"sign_of_end needs .*Ticket\.end"):
        perturbed("sign_of_end", start)


def test_half_the_signs_flipped_tell_nothing_of_the_old_ones() -> None:
    before = ticket()
    after = perturbed("sign_flip", before)
    for layer, mask in before.mask.items():
        old, new = (each.weights[layer][mask].sign() for each in (before, after))
        assert abs(float((old * new).mean())) < 2 / len(old)


def test_a_larger_share_flips_what_a_smaller_one_flips() -> None:
    before = ticket()
    small, large = (perturbed("sign_flip", before, p=p) for p in (0.2, 0.6))
    for layer, weight in before.weights.items():
        assert not ((small.weights[layer] != weight) & (large.weights[layer] == weight)).any()


def test_a_weight_of_zero_stays_zero() -> None:
    layer = torch.tensor([[0.0, -2.0, 3.0, 1.0]])
    mask = torch.tensor([[True, True, True, False]])
    before = Ticket({"w": layer}, {"w": mask}, fresh=lambda source: {"w": torch.rand(1, 4, generator=source) + 1})
    for name in (*MAGNITUDES, "sign_flip"):
        assert perturbed(name, before).weights["w"][0, 0] == 0
