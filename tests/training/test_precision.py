"""Precision by device, the mistakes."""

import pytest
import torch

from sanity.errors import UserError
from sanity.training.precision import numerics, resolve, resolve_device

CPU = torch.device("cpu")


def test_auto_takes_bf16_only_where_the_processor_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, expected in (({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda flags=flags: flags)
        assert resolve("auto", CPU) == expected
    assert resolve("fp32", CPU) == "fp32"
    assert resolve("bf16", CPU) == "bf16"
    with pytest.raises(UserError, match="Did you mean 'bf16'"):
        resolve("bf1", CPU)


def test_the_device_is_said_to_be_missing_before_anything_starts() -> None:
    assert resolve_device("cpu") == CPU
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match=r"device=cuda:99: this machine has \d+ CUDA devices"):
        resolve_device("cuda:99")


def test_switches_are_put_back_even_after_an_error() -> None:
    torch.set_float32_matmul_precision("high")

    def switches() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        return cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, torch.get_float32_matmul_precision()

    before = switches()

    def fail() -> None:
        with numerics(CPU, "fp32", deterministic=True):
            assert torch.get_float32_matmul_precision() == "highest"
            assert torch.are_deterministic_algorithms_enabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not torch.are_deterministic_algorithms_enabled()
    now = switches()
    torch.set_float32_matmul_precision("highest")
    assert now == before
