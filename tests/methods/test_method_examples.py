"""Methods on nets of four weights, whose scores can be worked out by eye."""

import torch
from torch import Tensor, nn

import methods


def linear(*rows: list[float]) -> nn.Module:
    """One bias-free layer, or a chain of them with ReLU between."""
    layers: list[nn.Module] = []
    for row in rows:
        weight = torch.tensor(row).view(2, -1) if len(row) == 4 else torch.tensor([row])
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data = weight
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# With these weights the example's two logits are both 5: each class has probability 1/2, and class 0 is the true one.
WEIGHTS = [1.0, 2.0, 3.0, 1.0]
EXAMPLE = [(torch.tensor([[1.0, 2.0]]), torch.tensor([0]))]


def close(score: Tensor, wanted: list[list[float]]) -> None:
    torch.testing.assert_close(score, torch.tensor(wanted, dtype=score.dtype))


def test_magnitude() -> None:
    score = methods.get("magnitude").score(linear([1.0, -2.0, 3.0, 0.5]), [])["0.weight"]
    close(score, [[1.0, 2.0], [3.0, 0.5]])


def test_snip() -> None:
    """The gradient is (p - y) x' = [[-0.5, -1], [0.5, 1]]; times the weights: [[-0.5, -2], [1.5, 1]]."""
    close(methods.get("snip").score(linear(WEIGHTS), EXAMPLE)["0.weight"], [[0.5, 2.0], [1.5, 1.0]])


def test_snip_of_batches_that_disagree() -> None:
    """Class 1 has the opposite gradient: together nothing is left, taken by themselves both count."""
    both = [*EXAMPLE, (EXAMPLE[0][0], torch.tensor([1]))]
    close(methods.get("snip").score(linear(WEIGHTS), both)["0.weight"], [[0.0, 0.0], [0.0, 0.0]])
    apart = methods.get("snip", aggregate="sum_of_abs").score(linear(WEIGHTS), both)["0.weight"]
    close(apart, [[1.0, 4.0], [3.0, 2.0]])


def test_grasp() -> None:
    """With S = [[1, -1], [-1, 1]] / 4, Hg = |x|^2 S (p - y) x' = 5 [-1/4, 1/4]' x' = [[-1.25, -2.5], [1.25, 2.5]]."""
    score = methods.get("grasp", temperature=1).score(linear(WEIGHTS), EXAMPLE)["0.weight"]
    close(score, [[-1.25, -5.0], [3.75, 2.5]])
    absolute = methods.get("grasp", temperature=1, absolute=True).score(linear(WEIGHTS), EXAMPLE)["0.weight"]
    close(absolute, [[1.25, 5.0], [3.75, 2.5]])


def test_grasp_of_batches_that_disagree() -> None:
    """Opposite gradients, one Hessian: of their sum nothing is left; by itself a batch of two leaves 2 Hg - Hg."""
    first = (EXAMPLE[0][0].repeat(2, 1), torch.tensor([0, 0]))
    both = [first, (EXAMPLE[0][0], torch.tensor([1]))]
    net = linear(WEIGHTS)
    close(methods.get("grasp", temperature=1).score(net, both)["0.weight"], [[0.0, 0.0], [0.0, 0.0]])
    own = methods.get("grasp", temperature=1, gradient="per_batch").score(net, both)["0.weight"]
    close(own, [[-1.25, -5.0], [3.75, 2.5]])


def test_synflow() -> None:
    """R = |-1| (|1| + |-2|) + |2| (|3| + |4|) = 17, and so is the sum of every layer's scores."""
    scores = methods.get("synflow").score(linear([1.0, -2.0, 3.0, 4.0], [-1.0, 2.0]), EXAMPLE)
    close(scores["0.weight"], [[1.0, 2.0], [6.0, 8.0]])
    close(scores["2.weight"], [[3.0, 14.0]])


def test_masks() -> None:
    """Half of four weights: 3 and -2 by size; 1 and 0.5 when inverted."""
    net = linear([1.0, -2.0, 3.0, 0.5])
    assert methods.get("magnitude").mask(net, [], 0.5)["0.weight"].tolist() == [[False, True], [True, False]]
    assert methods.get("magnitude", invert=True).mask(net, [], 0.5)["0.weight"].tolist() == [
        [True, False],
        [False, True],
    ]


def test_synflow_in_rounds_spares_the_only_way_through() -> None:
    """At once, the weights 1 and 1 behind the large 9 lose; in rounds, they gain what their rivals lose."""
    net = linear([9.0, 0.1, 0.1, 9.0], [1.0, 1.0])
    mask = methods.get("synflow", rounds=10).mask(net, EXAMPLE, 0.65)
    assert mask["0.weight"].sum() == 1
    assert mask["2.weight"].sum() == 1
    assert int(mask["0.weight"].any(1).nonzero()) == int(mask["2.weight"][0].nonzero())
