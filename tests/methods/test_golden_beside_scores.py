"""What surrounds a score agrees with published code, too: pruned biases, N:M patterns, the line of a barrier."""

import pytest
import torch
from torch import Tensor, nn

import methods
from sanity.masks import Mask, allocate, patterns
from sanity.training.interpolation import interpolated
from tests.methods import golden_values

SNIP, PATTERNS, LINE = (golden_values.values(name) for name in ("snip_biases", "nm", "barrier"))


@pytest.fixture(scope="module")
def perceptron() -> nn.Module:
    net = nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 10))
    ).double()
    net.load_state_dict({name[6:]: value for name, value in SNIP.items() if name.startswith("model/")})
    return net


def _parts(prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in SNIP.items() if name.startswith(prefix)}


def test_snip_scores_biases_as_its_authors(perceptron: nn.Module) -> None:
    batch = [(SNIP["examples"], SNIP["targets"].long())]
    ours = methods.get("snip", "lee2019", score_weights="own").score(perceptron, batch)
    theirs, total = _parts("score."), sum(float(score.sum()) for score in ours.values())
    assert ours.keys() == theirs.keys()
    for name, score in ours.items():
        torch.testing.assert_close(score / total, theirs[name], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("ratio", [0.6, 0.9])
def test_snip_prunes_biases_as_its_authors(perceptron: nn.Module, ratio: float) -> None:
    batch = [(SNIP["examples"], SNIP["targets"].long())]
    mask: Mask = methods.get("snip", "lee2019", score_weights="own").mask(perceptron, batch, ratio)
    for name, layer in _parts(f"mask@{ratio}.").items():
        assert torch.equal(mask[name], layer.bool())


@pytest.mark.parametrize("key", sorted(name for name in PATTERNS if name.startswith("mask.")))
def test_patterns_keep_what_jaxpruner_keeps(key: str) -> None:
    _, name, *rest = key.split(".", 2)
    scores, rule = PATTERNS[f"scores.{name}"].double(), rest[0]
    rows = scores if scores.dim() > 1 else scores[None]
    if rule.startswith("unstructured"):
        mask = allocate({"fc": rows}, float(rule.partition("@")[2]))
    else:
        kept, of = rule.partition(".")[0].split("of")
        mask = allocate({"fc": rows}, 1 - int(kept) / int(of), pattern=patterns.get(f"{kept}:{of}"))
    assert torch.equal(mask["fc"], PATTERNS[key].bool().view(rows.shape))


def test_the_line_between_two_networks_is_the_published_one() -> None:
    """Theirs interpolates running statistics as well; ours measures them anew, on the same weights."""
    ends = [{name[9:]: value for name, value in LINE.items() if name.startswith(f"network{end}/")} for end in (0, 1)]
    accuracies = []
    for point in range(11):
        net = golden_values.small_net(interpolated(ends[0], ends[1], point / 10)).eval()
        right = net(LINE["test_examples"]).argmax(1) == LINE["test_targets"]
        accuracies.append(100 * float(right.double().mean()))
    assert accuracies == pytest.approx(LINE["test_lmc"].tolist())
    assert (accuracies[0] + accuracies[-1]) / 2 - accuracies[5] == pytest.approx(float(LINE["barrier_test"]))
