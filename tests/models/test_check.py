"""A network of one's own that does not fit: one line before anything is trained, and exit code 2."""

from pathlib import Path

import pytest
import torch

from sanity.errors import UserError
from sanity.models import build
from tests.models import misfits
from tests.small_runs import Start, records

HERE = misfits.__name__
LINES = {
    "OtherSize": "fails in training on inputs of shape (2, 1, 8, 8): RuntimeError: mat1 and mat2",
    "FewClasses": "on inputs of shape (2, 1, 8, 8) has shape (2, 9), not (2, 10)",
    "NotFlat": "has shape (2, 1, 8, 10), not (2, 10)",
    "Pair": "is tuple, not a tensor of logits",
    "Detached": "has no gradient",
    "FailsInEvaluation": "fails in evaluation on inputs of shape (2, 1, 8, 8): KeyError: 'running_mean'",
    "Double": "parameter '1.weight' is float64, but networks are built in float32",
    "Half": "parameter '1.weight' is float16",
    "Complex": "parameter '1.weight' is complex64",
    "WeightNorm": "layer '1' (Linear) computes its weight from other parameters",
    "Orthogonal": "layer '1' (ParametrizedLinear) computes its weight from other parameters",
    "Pruned": "layer '1' (Linear) computes its weight from other parameters",
    "ExtraState": "its state '1._extra_state' is dict, not a tensor",
    "BadReset": "_BadReset.reset_parameters() fails with RuntimeError: no such file",
    "Raises": "build(input_shape=(1, 8, 8), classes=10) fails with TypeError",
    "Exits": "build(input_shape=(1, 8, 8), classes=10) fails with it ends the program (sys.exit(0))",
    "Nothing": "build(input_shape=(1, 8, 8), classes=10) returns NoneType, not a torch.nn.Module",
    "NoWeights": "has no weight of a convolution or linear layer to prune",
    "Plain": "has no weight of a convolution or linear layer to prune",
    "NoNetwork": "is no class that derives from sanity.models.base.Model",
    "Unfinished": "does not define build()",
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.filterwarnings("ignore")
def test_a_network_that_does_not_fit_is_one_line(
    name: str, start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(model=f"{HERE}:{name}") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: model")
    assert f"{HERE}:{name}" in lines[0]
    assert LINES[name] in lines[0]
    assert not records(tmp_path)


@pytest.mark.parametrize("model", ["builtins:int", "builtins:dict", "sanity.models.base:Model"])
def test_what_is_no_model_is_one_line(model: str) -> None:
    with pytest.raises(
        UserError, match=r"no class that derives from sanity\.models\.base\.Model|does not define build"
    ):
        build(model, (1, 8, 8), 10)


def test_what_is_no_initialisation_is_one_line() -> None:
    for init in ("builtins:int", "sanity.models.init:Init"):
        with pytest.raises(UserError, match=f"initialisation '{init}'"):
            build("lenet5", (1, 8, 8), 10, init=init)


def test_a_lazy_network_is_made_for_the_data_and_drawn() -> None:
    networks = [
        build(f"{HERE}:Lazy", (1, 8, 8), 10, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    weights = [network.get_parameter("1.weight") for network in networks]
    assert weights[0].shape == (10, 64)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert all(module.training for module in networks[0].modules())


@pytest.mark.parametrize("width", ["100000000000", "9" * 40])
def test_an_absurd_width_is_one_line(width: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(model="resnet8", model__width=width) == 2
    assert f"model resnet8.width={width}: should be less than or equal to" in capsys.readouterr().err
