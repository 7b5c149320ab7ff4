"""Every check: it changes what it says, by its generator alone, and nothing that a fair comparison must keep."""

from functools import cache
from typing import Any

import pytest
import torch

import checks
import methods
from checks.base import HOOKS, Check, Composed
from methods.base import Method
from sanity.data.dataset import Dataset
from sanity.invariants import nets
from sanity.masks import Mask, allocate, counted, kept
from sanity.masks.ticket import Ticket
from sanity.seeds import generator


def content(data: Dataset) -> dict[str, Any]:
    return {
        "examples": data.examples,
        "targets": data.targets,
        "classes": data.classes,
        "mean": data.mean,
        "std": data.std,
    }


def copied(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in values.items()}


def parts(ticket: Ticket) -> dict[str, Any]:
    masks = {f"mask of {name}": layer for name, layer in ticket.mask.items()}
    return {
        **ticket.weights,
        **masks,
        "start_epoch": ticket.start_epoch,
        "epochs": ticket.epochs,
        "frozen": ticket.frozen,
    }


def initial(check: Check, ticket: Ticket, seed: int) -> dict[str, Any]:
    """The initial weights that the search starts from under the check."""
    assert ticket.fresh is not None
    return dict(check.initialise(ticket.weights, ticket.fresh, generator(seed, "check")))


def test_it_says_what_it_keeps_and_what_it_destroys(check: Check) -> None:
    assert check.keeps.strip()
    assert check.destroys.strip()


def test_it_changes_something_and_nothing_but_what_its_hooks_are_for(check: Check, check_name: str) -> None:
    data, ticket, method = nets.dataset(), nets.ticket(), methods.get("magnitude")
    moved = {
        "corrupt": bool(nets.changed(content(data), content(check.corrupt(data, generator(0))))),
        "perturb": bool(nets.changed(parts(ticket), parts(check.perturb(ticket, generator(0))))),
        "alter": check.alter(method) != method,
        "initialise": bool(nets.changed(dict(ticket.weights), initial(check, ticket, 0))),
        "reallocate": check.reallocate(method, ticket.reference or {}).rule() != method.rule(),
    }
    for hook in HOOKS:
        assert moved[hook] <= check.overrides(hook), f"{hook} changes something that `overrides` does not tell"
    if check_name != "none":
        assert any(moved.values()), "the check changes neither the data nor the ticket nor the method: it is a no-op"


def test_what_the_search_sees_is_still_a_data_set(check: Check) -> None:
    data = nets.dataset(examples=50)
    seen = check.corrupt(data, generator(0))
    assert seen.input_shape == data.input_shape
    assert seen.pixels.dtype == torch.uint8
    assert seen.targets.dtype == torch.int64
    assert seen.classes == data.classes
    if seen.name == data.name:  # images of another data set are normalised by its own statistics
        assert (seen.mean, seen.std) == (data.mean, data.std)
    assert 1 <= len(seen) == len(seen.examples) <= len(data)
    assert int(seen.targets.min()) >= 0
    assert int(seen.targets.max()) < data.classes


def test_the_ticket_keeps_its_size_and_its_place_on_the_schedule(check: Check) -> None:
    before = nets.ticket(ratio=0.7)
    after = check.perturb(before, generator(0))
    assert kept(after.mask) == kept(before.mask), "tickets of different sizes cannot be compared"
    for name, layer in before.mask.items():
        assert after.mask[name].dtype == torch.bool
        assert after.mask[name].shape == layer.shape
    assert list(after.weights) == list(before.weights)
    for name, weight in before.weights.items():
        assert after.weights[name].shape == weight.shape
        assert after.weights[name].dtype == weight.dtype
        assert after.weights[name].isfinite().all()
    assert (after.start_epoch, after.epochs) == (before.start_epoch, before.epochs)


def test_data_and_ticket_that_it_was_given_stay_as_they_were(check: Check) -> None:
    data, ticket = nets.dataset(), nets.ticket()
    before, held = copied(content(data)), copied(parts(ticket))
    check.corrupt(data, generator(0))
    check.perturb(ticket, generator(0))
    assert not (changes := nets.changed(before, content(data))), (
        f"corrupt changed {changes} in place; retraining sees it too"
    )
    assert not (changes := nets.changed(held, parts(ticket))), f"perturb changed {changes} in place"


def test_one_generator_gives_one_perturbation_and_another_gives_another(check: Check, check_name: str) -> None:
    data, ticket = nets.dataset(), nets.ticket()

    def run(seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        seen = content(check.corrupt(data, generator(seed % 2, "check")))
        begun = {f"initial {name}": value for name, value in initial(check, ticket, seed % 2).items()}
        return {**seen, **begun, **parts(check.perturb(ticket, generator(seed % 2, "check")))}

    drawn = nets.random_state()
    first, again, other_seed = run(0), run(2), run(1)
    torch.set_rng_state(drawn["torch"])
    assert not (changes := nets.changed(first, again)), f"{changes} depend on more than the generator"
    if check.overrides("corrupt", "perturb", "initialise"):
        assert bool(nets.changed(first, other_seed)) == check.draws, "`draws` says whether every seed has its own"


def test_global_randomness_is_left_as_it_was(check: Check) -> None:
    before = nets.random_state()
    check.corrupt(nets.dataset(), generator(0))
    check.perturb(nets.ticket(), generator(0))
    assert not (changes := nets.changed(before, nets.random_state())), f"it drew from the global generator of {changes}"


def test_in_company_it_does_what_it_does_alone(check: Check, check_name: str) -> None:
    """Paired randomness: random_labels draws the labels of random_labels+random_pixels."""
    alone = Composed({check_name: check})
    for partner_name in ("random_labels", "layerwise_rearrange"):
        if partner_name == check_name:
            continue
        both = Composed({check_name: check, partner_name: checks.get(partner_name)})
        partner = Composed({partner_name: checks.get(partner_name)})
        step = partner.corrupt(alone.corrupt(nets.dataset(), generator(0)), generator(0))
        assert not nets.changed(content(step), content(both.corrupt(nets.dataset(), generator(0))))
        ticket = partner.perturb(alone.perturb(nets.ticket(), generator(0)), generator(0))
        assert not nets.changed(parts(ticket), parts(both.perturb(nets.ticket(), generator(0))))
        method = methods.get("snip")
        assert both.alter(method) == checks.get(partner_name).alter(check.alter(method))
        for hooks in [("corrupt",), ("perturb",), ("alter",), HOOKS]:
            assert both.overrides(*hooks) == (check.overrides(*hooks) or partner.overrides(*hooks))


def test_a_method_that_needs_no_data_finds_the_same_mask(check: Check) -> None:
    data = nets.dataset()
    seen = check.corrupt(data, generator(0))
    if not nets.changed(content(data), content(seen)):
        pytest.skip("the check leaves the data as they are")
    for name in methods.searching():
        method = methods.get(name, allocation="global", rounds=1)
        if method.needs_data:
            continue
        blind = method.mask(nets.net("shortcut"), nets.batches(seen, size=4), 0.8, generator(0))
        assert not nets.changed(_on_clean_data(method), blind), f"{name} says that it needs no data, but sees them"


@cache
def _on_clean_data(method: Method) -> Mask:
    """The mask that `method` finds without a check."""
    return method.mask(nets.net("shortcut"), nets.batches(size=4), 0.8, generator(0))


def test_every_method_still_works_under_it(check: Check, check_name: str) -> None:
    data = nets.dataset()
    seen = check.corrupt(data, generator(0))
    other_data = bool(nets.changed(content(data), content(seen)))
    for name in methods.searching():
        plain, net = methods.get(name, allocation="global", rounds=1), nets.net("batch_norm")
        method = check.alter(plain)
        pattern = method.kept_together(net)
        if pattern.keeps_units_whole and check.overrides("reallocate"):
            continue  # layers' counts of weights do not apply to channels
        reference = allocate(nets.scores(net), 0.8, "erk")
        method = method if method.constructs else check.reallocate(method, reference)
        if check_name != "none" and method == plain and not (other_data and plain.needs_data):
            continue  # the search is that of the control
        mask = method.mask(net, nets.batches(seen, size=8), 0.8, generator(0))
        left, total = counted(mask, pattern)
        assert left == round(0.2 * total)
