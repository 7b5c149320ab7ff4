"""Sets the precision of training and testing, and whether repeats are bit-equal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from sanity.errors import UserError, unknown

Precision = Literal["auto", "fp32", "bf16"]


def resolve(precision: str, device: torch.device) -> str:
    """Returns "fp32" or "bf16" for `precision`; auto is bf16 where the device computes in it.

    Measured on two Zen 5 cores (AVX512-BF16), bf16 is faster for convolutional and for fully connected networks.
    """
    if precision in ("fp32", "bf16"):
        return precision
    if precision != "auto":
        raise unknown("precision", precision, ("auto", "fp32", "bf16"))
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"
    return "fp32"


def resolve_device(device: str | torch.device) -> torch.device:
    """Returns the device of that name; auto is the GPU where there is one.

    Raises `UserError` for a device that this machine does not have.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except RuntimeError:
        raise UserError(f"device={device}: no such device; use auto, cpu, cuda or cuda:N") from None
    if resolved.type not in ("cpu", "cuda") or (resolved.type == "cpu" and resolved.index):
        raise UserError(f"device={device}: not supported; use auto, cpu, cuda or cuda:N")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device={device}: this machine has {torch.cuda.device_count()} CUDA devices; use device=cpu")
    return resolved


@contextmanager
def numerics(device: torch.device, precision: str, deterministic: bool) -> Iterator[None]:
    """Context manager; sets torch's switches for a training, and restores them and the global generators on exit.

    `set_deterministic_debug_mode` does what `use_deterministic_algorithms` does, but does not import torch's compiler.

    float32 products are computed in float32 whatever the calling process allowed; with bf16, convolutions may use TF32.
    """
    cudnn = torch.backends.cudnn
    before = (cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic)
    products = torch.get_float32_matmul_precision()
    strict = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic  # filling new memory with NaN is for debugging, and slow
    fill = memory.fill_uninitialized_memory
    try:
        torch.set_float32_matmul_precision("highest")
        cudnn.allow_tf32 = precision != "fp32"
        cudnn.benchmark, cudnn.deterministic = not deterministic, deterministic
        torch.set_deterministic_debug_mode("error" if deterministic else "default")
        memory.fill_uninitialized_memory = False
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_float32_matmul_precision(products)
        cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before
        torch.set_deterministic_debug_mode(strict)
        memory.fill_uninitialized_memory = fill
