"""Zero-cost proxies are those of the published code, and a mask is measured by what it keeps."""

from pathlib import Path

import pytest
import torch
from torch import nn

import methods
from sanity import models
from sanity.cli.audit.config import AuditConfig
from sanity.cli.audit.proxies import DRAWS, measured
from sanity.cli.audit.report import Audit, audit, text, write_page
from sanity.masks import Mask, dense
from sanity.seeds import generator
from tests.methods import golden_values

STORED = golden_values.values("zerocost")


@pytest.mark.parametrize("name", ["grad_norm", "fisher", "jacob_cov"])
def test_the_dense_network_has_the_published_values(name: str) -> None:
    net = golden_values.model(STORED)
    values = measured(net, dense(net), STORED["examples"], STORED["targets"])
    assert values[name] == pytest.approx(float(STORED[f"{name}/value"]), rel=1e-9)


def test_the_trace_of_a_linear_network_is_the_size_of_its_inputs() -> None:
    """Each output's gradient is the input itself; over 5 outputs, those of kept weights count."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5)).double()
    inputs, targets = torch.randn(40, 3, 2, 2, generator=generator(0), dtype=torch.float64), torch.arange(40) % 5
    whole = measured(net, dense(net), inputs, targets)["ntk_trace"]
    assert whole == pytest.approx(5 * float(inputs.flatten(1).square().sum(1).mean()), rel=0.2)
    half = {"1.weight": (torch.arange(12) % 2 == 0).expand(5, 12)}
    alone = {"1.weight": ~half["1.weight"]}
    parts = [measured(net, mask, inputs, targets)["ntk_trace"] for mask in (half, alone)]
    assert sum(parts) == pytest.approx(whole, rel=1e-9)


def test_a_mask_that_lets_nothing_through_has_no_gradient() -> None:
    net = golden_values.model(STORED)
    mask: Mask = {name: torch.zeros_like(layer) for name, layer in dense(net).items()}
    values = measured(net, mask, STORED["examples"], STORED["targets"])
    assert values["grad_norm"] == values["fisher"] == values["ntk_trace"] == 0


def audited(folder: Path, limit: int) -> Audit:
    """An audit of a mask of SynFlow, with its initial weights and so many examples."""
    network = models.build("lenet_300_100", (1, 8, 8), 10, generator=generator(0, "init"))
    shape = [(torch.zeros(1, 1, 8, 8), torch.zeros(1, dtype=torch.long))]
    torch.save(network.state_dict(), folder / "init.pt")
    torch.save(dict(methods.get("synflow").mask(network, shape, 0.9, generator(0))), folder / "mask.pt")
    config = AuditConfig(init=str(folder / "init.pt"), dataset="digits", options={"dataset": {"limit": limit}})
    return audit(folder / "mask.pt", config)


def test_an_audit_with_too_few_examples_says_so_and_tells_the_rest(tmp_path: Path) -> None:
    result = audited(tmp_path, limit=20)
    assert result.findings
    assert result.overlaps
    assert not result.proxies
    assert "no zero-cost proxies: 100 examples are asked for scoring, the data set has 20" in text(result)


def test_an_audit_shows_them_beside_random_masks(tmp_path: Path) -> None:
    result = audited(tmp_path, limit=200)
    (trace,) = (proxy for proxy in result.proxies if proxy.name == "ntk_trace")
    assert len(trace.at_random) == DRAWS
    assert trace.ticket > max(trace.at_random), "SynFlow keeps what carries signal"
    write_page(result, tmp_path / "page.html")
    for shown in (text(result), (tmp_path / "page.html").read_text()):
        assert "ntk_trace" in shown
        assert "5 random masks of these counts" in shown


def test_a_network_that_cannot_be_run_costs_what_needs_it_and_not_the_audit(tmp_path: Path) -> None:
    """A user's network may fail in any way."""
    (tmp_path / "broken.py").write_text(
        "import torch\nclass Net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(9, 10)\n"
    )
    torch.save({"weight": torch.arange(90).view(10, 9) % 2 == 0}, tmp_path / "mask.pt")
    torch.save(torch.nn.Linear(9, 10).state_dict(), tmp_path / "init.pt")
    network = f"{tmp_path / 'broken.py'}:Net"
    config = AuditConfig(model=network, init=str(tmp_path / "init.pt"), dataset="digits", options={})
    result = audit(tmp_path / "mask.pt", config)
    assert result.findings
    assert result.no_proxies.startswith("the network, its weights or its data: RuntimeError: mat1 and mat2")
    assert any("RuntimeError" in overlap.reason for overlap in result.overlaps)
