"""LAMP is its formula, and no layer is emptied before its time."""

import torch

import methods
from sanity.invariants import nets
from sanity.masks import collapsed, prunable


def test_the_score_is_the_share_of_what_is_no_smaller() -> None:
    model = nets.net("shortcut")
    scores = methods.get("lamp").score(model, nets.batches())
    for name, weight in prunable(model).items():
        squares = weight.detach().double().square().flatten()
        by_hand = torch.stack([square / squares[squares >= square].sum() for square in squares])
        torch.testing.assert_close(scores[name].flatten(), by_hand, rtol=1e-10, atol=0)


def test_it_keeps_the_largest_of_a_layer_and_empties_none() -> None:
    model = nets.net("perceptron")
    with torch.no_grad():
        model.get_parameter("3.weight").mul_(1e-3)
    total = sum(weight.numel() for weight in prunable(model).values())
    assert "3.weight" in collapsed(methods.get("magnitude").mask(model, [], 1 - 3 / total))
    mask = methods.get("lamp").mask(model, nets.batches(), 1 - 3 / total)
    assert not collapsed(mask)
    for name, weight in prunable(model).items():
        assert mask[name].flatten()[weight.abs().argmax()]


def test_the_scale_of_a_layer_does_not_matter() -> None:
    model = nets.net("shortcut")
    before = methods.get("lamp").mask(model, nets.batches(), 0.9)
    with torch.no_grad():
        model.get_parameter("3.conv1.weight").mul_(2.0**9)
    assert not nets.changed(before, methods.get("lamp").mask(model, nets.batches(), 0.9))


def test_weights_of_zero_score_zero() -> None:
    model = nets.net("perceptron")
    with torch.no_grad():
        model.get_parameter("3.weight").zero_()
    assert not methods.get("lamp").score(model, nets.batches())["3.weight"].any()
