"""Every option of every method changes what it says, and nothing else."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import methods
from methods.base import Method
from methods.moments import rewinds_to
from sanity import models
from sanity.errors import UserError
from sanity.grid.moments import starts_at
from sanity.invariants import nets
from sanity.masks import layers, prunable
from sanity.masks.allocation import SmartRatio
from sanity.recipes import Recipe
from sanity.seeds import generator


def scores(name: str, net: nn.Module | str = "shortcut", **options: Any) -> dict[str, Tensor]:
    model = nets.net(net) if isinstance(net, str) else net
    return methods.get(name, **options).score(model, nets.batches(), generator(0))


def differ(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return len(nets.changed(one, other)) == len(one)


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_batch_norm_mode_matters_where_there_is_batch_norm(name: str) -> None:
    assert differ(scores(name, batch_norm="batch"), scores(name, batch_norm="running"))
    plain = [scores(name, "convolutional", batch_norm=mode) for mode in ("batch", "running")]
    assert not nets.changed(*plain)


def test_synflow_without_batch_norm_is_synflow_of_the_net_without_it() -> None:
    model, bare = nets.net("batch_norm"), nets.net("batch_norm")
    for index in (1, 4):
        bare[index] = nn.Identity()  # type: ignore[operator]
    assert not nets.changed(scores("synflow", model, batch_norm="identity"), scores("synflow", bare))
    assert differ(scores("synflow", model, batch_norm="identity"), scores("synflow", model))


def test_synflow_linearises_the_running_mean_or_leaves_it() -> None:
    """Only a negative running mean can tell `state` from `parameters`."""
    model = nets.net("batch_norm")
    assert min(float(model.get_buffer("1.running_mean").min()), float(model.get_buffer("4.running_mean").min())) < 0
    assert nets.changed(scores("synflow", model), scores("synflow", model, linearise="parameters"))
    for index in (1, 4):
        model.get_buffer(f"{index}.running_mean").abs_()
    assert not nets.changed(scores("synflow", model), scores("synflow", model, linearise="parameters"))


@pytest.mark.parametrize("drawn", ["random_normal", "truncated_normal", "glorot", "he", "lee2019", "xavier_normal"])
def test_snip_scores_a_fresh_draw_in_place_of_the_networks_weights(drawn: str) -> None:
    one, other = nets.net("free_convolutional", seed=0), nets.net("free_convolutional", seed=1)
    assert not nets.changed(scores("snip", one, score_weights=drawn), scores("snip", other, score_weights=drawn))
    assert differ(scores("snip", one, score_weights=drawn), scores("snip", one))


@pytest.mark.parametrize(
    ("drawn", "deviation"),
    [
        ("random_normal", 0.1),
        ("truncated_normal", 0.1 * 0.8796),
        ("glorot", math.sqrt(2 / 600)),
        ("xavier_normal", math.sqrt(2 / 600)),
        ("he", math.sqrt(2 / 400)),
        ("lee2019", math.sqrt(1 / 400)),
    ],
)
def test_snips_fresh_draw_has_the_named_distribution(drawn: str, deviation: float) -> None:
    net = nn.Sequential(nn.Linear(400, 200))
    methods.get("snip", score_weights=drawn).prepare(net, generator(0))
    weight: Tensor = net.get_parameter("0.weight").detach()
    assert float(weight.std()) == pytest.approx(deviation, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=deviation / 50)


def test_snip_prunes_biases_only_when_told() -> None:
    model = nets.net("convolutional")
    weights, biases = ["0.weight", "3.weight", "7.weight"], ["0.bias", "3.bias", "7.bias"]
    assert list(scores("snip", model)) == weights
    both = methods.get("snip", biases="pruned").mask(model, nets.batches(), 0.9)
    assert list(both) == ["0.weight", "0.bias", "3.weight", "3.bias", "7.weight", "7.bias"]
    assert all(both[name].shape == model.get_parameter(name).shape for name in biases)
    assert "1.weight" not in scores("snip", "batch_norm", biases="pruned"), "batch norm is never pruned"


def test_snip_draws_the_biases_that_it_prunes() -> None:
    """As official SNIP does; a network starts with biases of zero, and all of them would score zero."""
    net = nn.Sequential(nn.Linear(5, 4000))
    method = methods.get("snip", "lee2019")
    method.prepare(net, generator(0))
    assert float(net.get_parameter("0.bias").detach().std()) == pytest.approx(math.sqrt(1 / 4000), rel=0.05)
    model = nets.net("convolutional")
    with torch.no_grad():
        model.get_parameter("0.bias").zero_()
    drawn, own = (scores("snip", model, biases="pruned", score_weights=where) for where in ("lee2019", "own"))
    assert drawn["0.bias"].count_nonzero()
    assert not own["0.bias"].count_nonzero()


def test_grasp_draws_the_classifier_anew_and_leaves_the_rest() -> None:
    one, other = nets.net("batch_norm"), nets.net("batch_norm")
    with torch.no_grad():
        other.get_parameter("8.weight").mul_(-3)
    same = [scores("grasp", model, reinit_classifier=True) for model in (one, other)]
    assert not nets.changed(*same), "the classifier's own weights must not matter"
    assert differ(scores("grasp", one), scores("grasp", other))
    assert differ(scores("grasp", one), same[0])
    net = nets.net("batch_norm")
    before = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    methods.get("grasp", reinit_classifier=True).prepare(net, generator(0))
    assert nets.changed(before, {name: weight.detach() for name, weight in net.named_parameters()}) == ["8.weight"]
    wide = nn.Sequential(nn.Linear(400, 200))
    methods.get("grasp", reinit_classifier=True).prepare(wide, generator(0))
    assert float(wide.get_parameter("0.weight").detach().std()) == pytest.approx(math.sqrt(2 / 600), rel=0.02)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("name", ["magnitude", "partially_trained"])
def test_magnitude_of_convolutions_alone_keeps_the_classifier_whole(name: str, invert: bool) -> None:
    model = nets.net("convolutional")
    mask = methods.get(name, layers="convolutions", invert=invert).mask(model, nets.batches(), 0.5)
    total = sum(layer.numel() for layer in mask.values())
    assert mask["7.weight"].all()
    assert sum(int(layer.sum()) for layer in mask.values()) == round(0.5 * total), "the ratio is of all weights"
    convolutions = {key: weight.detach().abs() for key, weight in prunable(model).items() if weight.dim() == 4}
    kept = torch.cat([score[mask[key]] for key, score in convolutions.items()])
    gone = torch.cat([score[~mask[key]] for key, score in convolutions.items()])
    assert kept.max() <= gone.min() if invert else kept.min() >= gone.max()
    assert not methods.get(name, invert=invert).mask(model, nets.batches(), 0.5)["7.weight"].all()


def test_spared_shortcuts_stay_whole_and_the_rest_loses_a_fifth_as_published() -> None:
    """The first sparsity of Frankle and Carbin's ResNet-20 is a fifth of all but its shortcuts and last layer."""
    model = models.build("resnet20", (3, 32, 32), 10, generator=generator(0))
    options = {"layers": "convolutions", "spare": "downsample"}
    mask = methods.get("magnitude", **options).mask(model, [(torch.zeros(1, 3, 32, 32), torch.zeros(1))], 0.197637)
    spared = [name for name in mask if "downsample" in name or mask[name].dim() == 2]
    assert len(spared) == 3
    assert all(mask[name].all() for name in spared)
    pruned = [layer for name, layer in mask.items() if name not in spared]
    total = sum(layer.numel() for layer in pruned)
    assert total == 267_696
    assert total - sum(int(layer.sum()) for layer in pruned) == round(0.2 * total)
    ranked = {name: weight.detach().abs() for name, weight in prunable(model).items() if name not in spared}
    kept, gone = (torch.cat([score[mask[name] == side] for name, score in ranked.items()]) for side in (True, False))
    assert kept.min() >= gone.max()


def test_a_word_that_is_in_no_layers_name_is_one_line() -> None:
    with pytest.raises(UserError, match=r"magnitude\.spare=shortcut: no layer's name holds this word; they are 0\."):
        methods.get("magnitude", spare="shortcut").mask(nets.net("convolutional"), nets.batches(), 0.5)


@pytest.mark.parametrize(
    "options",
    [
        {"smart_decay": "linear"},
        {"smart_decay": "ascending"},
        {"smart_decay": "cubic"},
        {"smart_decay": "balanced"},
        {"smart_linear_keep": 0.6},
        {"smart_layer_count": "nominal"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["random_tickets", "hybrid_tickets", "snip"])
def test_smart_ratios_options_reach_the_mask(name: str, options: dict[str, Any]) -> None:
    model = nets.net("shortcut")
    method = methods.get(name, allocation="smart_ratio", **options)
    rule = SmartRatio(**{key.removeprefix("smart_"): value for key, value in options.items()})
    wanted = rule.counts({key: weight.shape for key, weight in prunable(model).items()}, 0.6)
    mask = method.mask(model, nets.batches(), 0.6, generator(0))
    assert {key: layer["kept"] for key, layer in layers(mask).items()} == wanted
    assert wanted != SmartRatio().counts({key: weight.shape for key, weight in prunable(model).items()}, 0.6)


def test_a_score_without_a_generator_is_seeded_with_zero() -> None:
    model = nets.net("perceptron")
    one, other = methods.get("random").score(model, []), methods.get("random").score(model, [])
    assert not nets.changed(one, other)


def test_weights_in_another_order_change_no_mask() -> None:
    class Backwards(Method):
        def saliency(self, net: nn.Module, batches: Any, generator: torch.Generator) -> dict[str, Tensor]:
            return {name: torch.ones_like(weight) for name, weight in reversed(self.targets(net).items())}

    mask = Backwards().mask(nets.net("perceptron"), [], 0.5)
    assert list(mask) == ["1.weight", "3.weight", "5.weight"]
    assert mask["1.weight"].flatten()[:400].all(), "ties go to the first weights of the first layer"


@given(share=st.floats(0.01, 100), epochs=st.integers(1, 1000))
def test_a_share_of_the_schedule_is_its_nearest_epoch_after_the_start(share: float, epochs: int) -> None:
    method = methods.get("magnitude", rewind="weights", rewind_epoch=f"{share!r}%", scored_at="100%").placed(epochs)
    assert method.scored_at == epochs
    assert 1 <= int(method.rewind_epoch) <= epochs
    moved = abs(int(method.rewind_epoch) - share / 100 * epochs)
    assert moved <= (0.5 + 1e-9 if int(method.rewind_epoch) > 1 else 1)


@pytest.mark.parametrize("moment", ["init", "end", 7])
def test_other_moments_stay_what_they_are(moment: str | int) -> None:
    method = methods.get("magnitude", scored_at=moment, rewind_epoch=3)
    assert method.placed(20) == method


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("snap", {}, r"unknown method 'snap'\. Did you mean 'snip'\?"),
        ("snip", {"variant": "su2021"}, r"unknown variant of snip 'su2021'\. Did you mean 'su2020'\?"),
        ("snip", {"temperature": 2}, "unknown option of snip 'temperature'"),
        ("grasp", {"temperature": 0}, r"grasp\.temperature=0: .*greater than 0"),
        ("grasp", {"batch_norm": "eval"}, r"grasp\.batch_norm=eval: .*'batch' or 'running'"),
        ("magnitude", {"rounds": 0}, r"magnitude\.rounds=0: .*greater than or equal to 1"),
        ("magnitude", {"scored_at": "middle"}, r"magnitude\.scored_at=middle"),
        ("magnitude", {"scored_at": -1}, r"magnitude\.scored_at=-1"),
        ("magnitude", {"scored_at": "middle"}, r"a share of the schedule \(5%\), or the epoch of"),
        (
            "partially_trained",
            {"rewind_epoch": "0%"},
            r"partially_trained\.rewind_epoch=0%: should be init, end, an epoch .* or a share",
        ),
        ("partially_trained", {"rewind_epoch": "101%"}, "share of the schedule"),
        ("partially_trained", {"rewind_epoch": "nan%"}, "share of the schedule"),
        ("random", {"removed_per_round": 1.0}, r"random\.removed_per_round=1\.0"),
        ("torch:Tensor", {}, "is no class that derives from"),
        ("nowhere.at:All", {}, "cannot be loaded"),
        ("methods.snip:Snip", {}, "methods.snip has no .Snip.; did you mean 'SNIP'?"),
    ],
)
def test_mistakes_are_one_clear_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        methods.get(name, options.pop("variant", ""), **options)
    assert "\n" not in str(caught.value)


def test_a_model_without_weights_to_prune_is_a_mistake() -> None:
    with pytest.raises(UserError, match="BatchNorm2d has no weight of a convolution or linear layer"):
        methods.get("magnitude").mask(nn.BatchNorm2d(3), [], 0.5)


def test_grasp_takes_the_gradient_of_one_pass_and_the_hessian_of_the_other() -> None:
    model, (first, second) = nets.net("convolutional", double=True), nets.batches(double=True)
    apart = methods.get("grasp", redraw=True)
    both = apart.score(model, [first, second])
    same = methods.get("grasp").score(model, [first])
    assert not nets.changed(apart.score(model, [first, first]), same)
    assert not nets.changed(apart.score(model, [first]), same), "one batch is both passes"
    assert len(nets.changed(both, same)) == len(same)
    per_batch = methods.get("grasp", redraw=True, gradient="per_batch").score(model, [first, second])
    for name, score in both.items():  # one batch a pass: per batch is the same but for the batch's size
        torch.testing.assert_close(per_batch[name], len(first[0]) * score)


def test_biases_that_are_scored_as_zero_are_all_pruned() -> None:
    """As the official code since its commit fa49903: nothing is left of them at 95 %."""
    for variant, left in (("lee2019", True), ("lee2019_zero_biases", False)):
        mask = methods.get("snip", variant).mask(nets.net("perceptron"), nets.batches(), 0.8, generator(0))
        assert any(bool(layer.any()) for name, layer in mask.items() if name.endswith("bias")) == left


def test_openlth_spares_the_last_layer_of_networks_without_shortcuts() -> None:
    for name, spared in (("perceptron", True), ("convolutional", True), ("shortcut", False)):
        model = nets.net(name)
        mask = methods.get("partially_trained", layers="openlth").mask(model, [], 0.5)
        assert bool(list(mask.values())[-1].all()) == spared
        assert sum(int(layer.sum()) for layer in mask.values()) == round(0.5 * sum(map(Tensor.numel, mask.values())))


def test_weights_may_be_of_another_moment_than_the_schedule() -> None:
    method = methods.get("partially_trained", "atanov2021", rewind="weights")
    assert rewinds_to(method) == 41
    assert starts_at(method, Recipe(epochs=160)) == 40
    assert rewinds_to(methods.get("partially_trained", rewind="weights", rewind_epoch=7)) == 7
    assert rewinds_to(methods.get("partially_trained", "atanov2021")) == 0, "the learning rate is rewound"
    assert methods.get("magnitude", weights_at="50%").placed(20).weights_at == 10


@pytest.mark.parametrize("linearise", ["state", "parameters"])
def test_synflow_of_power_two_is_synflow_of_the_squared_network(linearise: str) -> None:
    model, squared = nets.net("shortcut", double=True), nets.net("shortcut", double=True)
    with torch.no_grad():
        for name, tensor in squared.state_dict().items():
            if tensor.is_floating_point() and (linearise == "state" or name in dict(squared.named_parameters())):
                tensor.square_()
    two = scores("synflow", model, power=2, linearise=linearise)
    for name, score in scores("synflow", squared, linearise=linearise).items():
        torch.testing.assert_close(two[name], score, rtol=1e-12, atol=0)
    by_weight = scores("synflow", model, power=2, linearise=linearise, factor="weight")
    for name, weight in prunable(model).items():
        torch.testing.assert_close(by_weight[name] * weight.abs(), two[name], rtol=1e-12, atol=0)


def test_the_factor_matters_for_power_two_alone() -> None:
    assert not nets.changed(scores("synflow"), scores("synflow", factor="weight"))
    assert differ(scores("synflow", power=2), scores("synflow", power=2, factor="weight"))
