"""Every method: its mask looks at nothing but what it says. Every check: it does to a method what it predicts."""

from collections.abc import Callable, Mapping
from functools import cache

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import checks
import methods
from checks.base import PREDICTIONS, Check, Composed
from methods.aspects import EVERYTHING, WEIGHTS
from methods.base import Method
from methods.moments import needs_dense
from sanity.errors import UserError
from sanity.invariants import nets
from sanity.invariants.test_scores import few_rounds
from sanity.masks import Mask, prunable
from sanity.masks.ticket import Ticket
from sanity.seeds import derive, generator

NET = "shortcut"
DRAWS = 60


def mask_of(method: Method, model: nn.Module, seed: int = 0) -> Mask:
    try:
        return few_rounds(method).mask(model, nets.batches(), 0.5, generator(seed))
    except UserError as error:
        if "smart" not in str(error) and "layer" not in str(error):
            raise
        pytest.skip("its allocation has no use for so small a network")


def ticket(method: Method, check: Check, seed: int = 0) -> Ticket:
    """The ticket that `method` finds under `check`, in a network that is drawn from `seed`."""
    reference = _reference()

    def fresh(source: torch.Generator) -> dict[str, Tensor]:
        return nets.net(NET, int(torch.randint(2**31, (), generator=derive(source, "init")))).state_dict()

    model = nets.net(NET, seed)
    if check.overrides("corrupt", "alter", "initialise", "reallocate"):
        seen = check.corrupt(nets.dataset(), generator(seed, "check"))
        altered, other = check.reallocate(check.alter(method), reference), nets.net(NET, seed)
        other.load_state_dict(dict(check.initialise(model.state_dict(), fresh, generator(seed, "search init"))))
        mask = altered.mask(other, nets.batches(seen), 0.5, generator(seed, "score"))
    else:
        mask = {name: layer.clone() for name, layer in _mask_of_the_control(method, seed).items()}
    end = {name: tensor.clone() for name, tensor in _end(seed).items()}
    searched = Ticket(model.state_dict(), mask, fresh=fresh, network=model, reference=reference, end=end)
    return check.perturb(searched, generator(seed, "check"))


@cache
def _mask_of_the_control(method: Method, seed: int) -> Mask:
    """What `method` finds under no check, and under those that act on tickets alone."""
    return method.mask(nets.net(NET, seed), nets.batches(), 0.5, generator(seed, "score"))


@cache
def _end(seed: int) -> dict[str, Tensor]:
    """Weights that stand for those at the end of training."""
    return nets.net(NET, seed + 5000).state_dict()


@cache
def _reference() -> Mapping[str, Tensor]:
    return nets.ticket().reference or {}


@torch.no_grad()
def _changed(model: nn.Module, aspect: str) -> nn.Module:
    """`model` with one aspect of its weights drawn anew."""
    other, weights = nets.net(NET, seed=77), prunable(model)
    redrawn = dict(other.named_parameters()) | dict(other.named_buffers())
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if (name in weights) == (aspect == "biases") or not tensor.is_floating_point():
            continue
        if aspect == "signs":
            tensor.copy_(tensor.abs() * redrawn[name].sign())
        elif aspect == "sizes":
            tensor.copy_(tensor.sign() * redrawn[name].abs())
        else:
            tensor.copy_(redrawn[name])
    return model


def test_the_mask_does_not_depend_on_what_the_method_says_that_it_ignores(preset: Method) -> None:
    for aspect in sorted({"sizes", "signs", "biases"} - preset.looks_at):
        before, after = mask_of(preset, nets.net(NET)), mask_of(preset, _changed(nets.net(NET), aspect))
        differing = nets.changed(before, after)
        assert not differing, f"looks_at has no '{aspect}', but the mask of {differing} depends on it"


def test_a_method_looks_at_data_where_it_needs_them(preset: Method) -> None:
    assert preset.looks_at <= EVERYTHING
    assert ("data" in preset.looks_at) == preset.needs_data, "needs_data and looks_at contradict each other"


def test_a_mask_without_regard_to_places_moves_with_the_weights(preset: Method) -> None:
    if "places" in preset.looks_at or not preset.looks_at & WEIGHTS:
        pytest.skip("the method says that it looks at places, or ranks by chance")
    model, orders = nets.net(NET), {}
    with torch.no_grad():
        for name, weight in prunable(model).items():
            orders[name] = torch.randperm(weight.numel(), generator=generator(0, name))
            weight.copy_(weight.flatten()[orders[name]].view_as(weight))
    before, moved = mask_of(preset, nets.net(NET)), mask_of(preset, model)
    for name, order in orders.items():
        assert torch.equal(before[name].flatten()[order], moved[name].flatten()), f"{name}: its places matter"


def test_chance_keeps_every_weight_of_a_layer_equally_often(preset: Method) -> None:
    if preset.looks_at:
        pytest.skip("the method ranks by more than chance")
    masks = [mask_of(preset, nets.net("perceptron"), seed) for seed in range(DRAWS)]
    for name in masks[0]:
        often = torch.stack([mask[name].flatten() for mask in masks]).sum(0).float()
        spread = (often - often.mean()).square().sum() / (often.mean() * (1 - often.mean() / DRAWS)).clamp(min=1e-9)
        assert stats.chi2.sf(float(spread), len(often) - 1) > 1e-5, f"{name}: some places are kept more often"


def test_registered_checks_do_to_the_method_what_they_predict(preset: Method) -> None:
    for name in checks.REGISTRY.names():
        _hold(preset, name)


def test_it_does_to_registered_methods_what_it_predicts(check_name: str) -> None:
    for name in methods.searching():
        _hold(methods.get(name), check_name)


def _hold(method: Method, check: str) -> None:
    """Asserts that an `identical` ticket is the control's, and that any other prediction is one that exists."""
    prediction = Composed({check: checks.get(check)}).predicts(method)
    assert prediction in PREDICTIONS
    if prediction != "identical" or needs_dense(method) or check == "none":
        return
    method = few_rounds(method, allocation="global")
    assert _digest(method, check) == _digest(method, "none"), f"{check} predicts identical tickets, but changes them"


_DIGESTS: dict[tuple[type[Method], str, str], str] = {}


def _digest(method: Method, check: str) -> str:
    """The digest of the ticket that `method` finds under `check`; both proofs above ask for the same ones."""
    key = (type(method), repr(method), check)
    if key not in _DIGESTS:
        _DIGESTS[key] = ticket(method, Composed({check: checks.get(check)})).digest()
    return _DIGESTS[key]


def _size_of_kept(drawn: Ticket) -> float:
    return sum(float(drawn.weights[name][layer].abs().sum()) for name, layer in drawn.mask.items())


def _sum_of_kept(drawn: Ticket) -> float:
    return sum(float(drawn.weights[name][layer].sum()) for name, layer in drawn.mask.items())


def _unevenness(drawn: Ticket) -> float:
    return sum(float(layer.flatten(1).sum(1).float().square().sum()) for layer in drawn.mask.values())


MEASURES: list[Callable[[Ticket], float]] = [_size_of_kept, _sum_of_kept, _unevenness]


@cache
def _measured(method: Method, name: str, start: int) -> list[list[float]]:
    tickets = [ticket(method, checks.get(name), seed + start) for seed in range(DRAWS)]
    return [[measure(drawn) for drawn in tickets] for measure in MEASURES]


def _p(method: Method, name: str) -> list[float]:
    """p of the hypothesis that tickets with the check and without have one distribution, by several measures."""
    pairs = zip(_measured(method, "none", 0), _measured(method, name, 1000), strict=True)
    return [stats.ks_2samp(*pair).pvalue for pair in pairs]


NULL = ["layerwise_rearrange", "rearrange_units", "rearrange_kernels", "reinit", "layerwise_shuffle", "invert"]
NULL += ["signed_reinit", "signed_shuffle", "sign_flip"]


@pytest.mark.parametrize("name", NULL)
def test_null_tickets_with_the_check_and_without_have_one_distribution(name: str) -> None:
    assert checks.get(name).predicts(methods.get("random")) == "null"
    assert min(_p(methods.get("random"), name)) > 1e-4


def test_flipped_signs_are_null_where_the_mask_looks_at_magnitudes_alone() -> None:
    assert checks.get("sign_flip").predicts(methods.get("magnitude")) == "null"
    assert min(_p(methods.get("magnitude"), "sign_flip")) > 1e-4
    assert checks.get("sign_flip").predicts(methods.get("snip")) == "open"


@pytest.mark.parametrize("name", ["layerwise_rearrange", "reinit", "invert", "signed_reinit"])
def test_the_measures_would_see_another_distribution(name: str) -> None:
    assert checks.get(name).predicts(methods.get("magnitude")) == "open"
    assert min(_p(methods.get("magnitude"), name)) < 1e-4


def test_a_prediction_is_as_weak_as_that_of_the_weakest_part() -> None:
    random, snip = methods.get("random"), methods.get("snip")
    assert checks.get("none").predicts(snip) == "identical"
    assert checks.get("random_labels+random_pixels").predicts(random) == "identical"
    assert checks.get("random_labels+reinit").predicts(random) == "null"
    assert checks.get("random_labels+reinit").predicts(snip) == "open"
    assert checks.get("random_labels").predicts(methods.get("random", rewind="weights", rewind_epoch=1)) == "open"


def test_another_formula_inherits_no_claim() -> None:
    class Louder(type(methods.get("random"))):  # type: ignore[misc]
        def saliency(self, net: nn.Module, batches: object, generator: torch.Generator) -> dict[str, Tensor]:
            return {name: weight.detach() for name, weight in self.targets(net).items()}

    class Stronger(type(checks.get("reinit"))):  # type: ignore[misc]
        def perturb(self, ticket: Ticket, generator: torch.Generator) -> Ticket:
            return ticket

    assert Louder().looks_at == EVERYTHING - {"data"}
    assert checks.get("layerwise_rearrange").predicts(Louder()) == "open"
    assert Stronger().predicts(methods.get("random")) == "open"
