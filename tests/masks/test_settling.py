"""When masks have settled, against the published sequence of masks."""

import pytest
import torch
from torch import nn

import methods
from sanity.masks import patterns
from sanity.masks.settling import distance, distances, flat, settled
from tests.methods.structured import values

PUBLISHED = ["0.3", "0.5", "0.7"]


def network(sizes: list[int], gammas: torch.Tensor) -> nn.Module:
    layers: list[nn.Module] = []
    for before, size in zip([1, *sizes], sizes, strict=False):
        layers += [nn.Conv2d(before, size, 1), nn.BatchNorm2d(size), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(sizes[-1], 2)).double()
    with torch.no_grad():
        norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
        for norm, part in zip(norms, gammas.split(sizes), strict=True):
            norm.weight.copy_(part)
    return net.eval()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("removed", PUBLISHED)
def test_masks_distances_and_the_epoch_are_the_published_ones(seed: int, removed: str) -> None:
    golden = values(f"earlybird_{seed}")
    sizes, method = golden["sizes"].tolist(), methods.get("early_bird", "you2020")
    masks = []
    for gammas in golden["gammas"]:
        net = network(sizes, gammas)
        masks.append(flat(method.mask(net, [], float(removed)), patterns.get("channel", net)))
    assert torch.equal(torch.stack(masks), golden[f"masks@{removed}"].bool())
    emerged = [settled(masks[: epoch + 1], 5, 0.1) for epoch in range(len(masks))]
    assert emerged == golden[f"emerged@{removed}"].bool().tolist()
    assert next((epoch for epoch, is_there in enumerate(emerged) if is_there), -1) == golden[f"epoch_drawn@{removed}"]
    for epoch in range(4, len(masks)):
        ours = [distance(masks[epoch], masks[epoch - back]) for back in (4, 3, 2, 1)]
        assert ours == pytest.approx(golden[f"distances@{removed}"][epoch].tolist(), abs=1e-12)


def test_single_weights_are_counted_one_by_one_and_the_matrix_is_symmetric() -> None:
    masks = [torch.tensor([True, False, True, True]), torch.tensor([True, True, True, False])]
    assert distances(masks) == [[0.0, 0.5], [0.5, 0.0]]
    assert settled(masks, 2, 0.5)
    assert not settled(masks, 2, 0.49)
    assert not settled(masks, 3, 1.0), "two masks are no window of three"
