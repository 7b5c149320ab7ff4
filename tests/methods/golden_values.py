"""Reads golden values and the small network that most of them belong to."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"
LAYERS = ("conv1.weight", "conv2.weight", "fc.weight")


def values(file: str) -> dict[str, Tensor]:
    """All tensors of `golden/FILE.safetensors`."""
    return load_file(GOLDEN / f"{file}.safetensors")


def small_net(state: Mapping[str, Tensor]) -> nn.Module:
    """The network with the widths of `state` and these values, in float64."""
    first, second = state["conv1.weight"], state["conv2.weight"]
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, len(first), 3, padding=1),
        "bn1": nn.BatchNorm2d(len(first)),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(len(first), len(second), 3, stride=2, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(len(second)),
        "relu2": nn.ReLU(),
        "pool": nn.AdaptiveAvgPool2d(2),
        "flat": nn.Flatten(),
        "fc": nn.Linear(4 * len(second), 4),
    }
    net = nn.Sequential()
    for name, part in parts.items():
        net.add_module(name, part)
    net.double().load_state_dict(dict(state))
    return net


def part(stored: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What is stored for the three layers under `prefix`."""
    return {name: stored[f"{prefix}{name}"] for name in LAYERS}


def model(stored: Mapping[str, Tensor]) -> nn.Module:
    """The network whose state is stored under `model/`."""
    return small_net({name[6:]: value for name, value in stored.items() if name.startswith("model/")})
