"""VGG-16 without hidden linear layers and with: both are pruned and train a step under their masks."""

import pytest
import torch
from torch import nn

import methods
from sanity import models
from sanity.recipes import Recipe
from sanity.seeds import generator
from sanity.training.compute import Compute
from sanity.training.loop import TrainingSpec, train
from tests.training.nets import digits


@pytest.mark.parametrize(("hidden", "linear"), [((), [512]), ((64, 32), [512, 64, 32])])
def test_both_train_a_step_under_their_mask(hidden: tuple[int, ...], linear: list[int]) -> None:
    examples, test = (data.subset(torch.arange(16)) for data in digits())
    net = models.build("vgg16", examples.input_shape, examples.classes, generator=generator(0), hidden=hidden)
    assert [layer.in_features for layer in net.modules() if isinstance(layer, nn.Linear)] == linear
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == 13
    mask = methods.get("random", allocation="uniform").mask(net, [], 0.5, generator(0))
    recipe = Recipe(epochs=1, batch_size=16, lr=0.1, weight_decay=5e-4)
    (result,) = train([TrainingSpec(net, mask, seed=0)], examples, test, recipe, Compute("cpu", "fp32"))
    assert (len(result.curve), result.diverged_epoch) == (1, None)
    start = dict(net.named_parameters())
    for name, layer in mask.items():
        assert not result.weights[name][~layer].any()
        assert (result.weights[name] != start[name])[layer].any()
