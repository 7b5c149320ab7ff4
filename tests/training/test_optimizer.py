"""Every optimizer takes the steps of torch's own, and imports no compiler."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from sanity import recipes
from sanity.training.optimizer import make_optimizer

CLASSES = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adadelta": torch.optim.Adadelta,
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_steps_are_those_of_torch(name: str) -> None:
    recipe = replace(recipes.get("quick"), weight_decay=1e-3, **{"optimizer": name})  # type: ignore[arg-type]
    nets = [nn.Linear(5, 3) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    ours = make_optimizer(recipe, nets[0], torch.device("cpu"))
    settings = {key: value for key, value in ours.defaults.items() if key != "differentiable"}
    settings.pop("decoupled_weight_decay" if name in ("adam", "adamw") else "", None)
    theirs = CLASSES[name](nets[1].parameters(), **{**settings, "weight_decay": 1e-3})
    for _ in range(3):
        inputs = torch.randn(7, 5)
        for net, optimizer in zip(nets, (ours, theirs), strict=True):
            net(inputs).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert all(torch.equal(own, other) for own, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
    assert not torch.equal(nets[0].weight, torch.zeros_like(nets[0].weight))


def test_neither_counting_operations_nor_training_imports_a_compiler() -> None:
    code = (
        "import sys, torch; from sanity import models, recipes; from sanity.masks.operations import operations\n"
        "operations(models.REGISTRY.load('lenet_300_100')().build((1, 8, 8), 10), (1, 8, 8))\n"
        "if {'torch._dynamo', 'triton', 'sympy'} & {*sys.modules}: sys.exit(2)\n"
        "from sanity.training.optimizer import make_optimizer\n"
        "net = torch.nn.Linear(2, 2)\n"
        "optimizer = make_optimizer(recipes.get('quick'), net, torch.device('cpu'))\n"
        "net(torch.ones(1, 2)).sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
