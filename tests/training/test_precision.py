"""Precision by device, the mistakes, and memory that a process keeps."""

import platform
import subprocess
import sys

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
    before = (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32)

    def fail() -> None:
        with numerics(CPU, "fp32", deterministic=True):
            assert torch.are_deterministic_algorithms_enabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not torch.are_deterministic_algorithms_enabled()
    now = (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32)
    assert now == before


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's allocator only")
def test_memory_that_is_freed_is_not_faulted_in_again() -> None:
    """In a process of its own: what other tests hold and free would count too."""
    code = (
        "import resource, torch; from sanity.training.precision import keep_memory\n"
        "def step(): blocks = [torch.empty(2**20).fill_(1.0) for _ in range(4)]  # 4 MB each\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(10): step()\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "step(); given_back = faults(); keep_memory(); step(); print(given_back, faults())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    given_back, kept = map(int, said.split())
    assert kept < 1000 < given_back  # of 40,960 pages of 4 kB
