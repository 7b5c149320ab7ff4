"""The small networks of the golden values about channels."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden"


def values(name: str) -> dict[str, Tensor]:
    return load_file(GOLDEN / f"{name}.safetensors")


def network(golden: dict[str, Tensor], pool: int) -> nn.Module:
    """conv - norm - ReLU, twice, and a classifier, with the weights of `golden`."""
    state = {key[6:]: value for key, value in golden.items() if key.startswith("model/")}
    first, second = len(state["conv1.weight"]), len(state["conv2.weight"])
    model = nn.Sequential()
    for name, part in {
        "conv1": nn.Conv2d(3, first, 3, padding=1, bias="conv1.bias" in state),
        "bn1": nn.BatchNorm2d(first),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(second),
        "relu2": nn.ReLU(),
        "pool": nn.AdaptiveAvgPool2d(pool),
        "flat": nn.Flatten(),
        "fc": nn.Linear(second * pool * pool, 4),
    }.items():
        model.add_module(name, part)
    model.double().load_state_dict(state)
    return model.eval()
