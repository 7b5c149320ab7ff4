"""Seeds the global random generators for somebody's code, and undoes and reports what it leaves behind."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as hooks

from methods.scoring_copy import full_precision, global_rng_untouched

_GLOBAL_HOOKS = [name for name in vars(hooks) if name.startswith("_global_") and name.endswith("_hooks")]
_PATCHED = [nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Module]
_METHODS = ("forward", "_conv_forward", "__call__", "__init__", "reset_parameters")


@contextmanager
def contained(net: nn.Module, seed: int, device: torch.device) -> Iterator[list[str]]:
    """Context manager for somebody's code that works on `net`; yields a list of what it left behind, filled on exit.

    Inside, the global generators of Python, numpy and torch (also of the CUDA device) are seeded; passes are in full
    precision, and gradients are on. On exit generators, global hooks, classes of torch, default type and the number of
    threads are as before.
    """
    left: list[str] = []
    recurrent = any(isinstance(module, nn.RNNBase) for module in net.modules())
    with ExitStack() as stack:
        stack.enter_context(global_rng_untouched(device))
        stack.enter_context(_torch_unchanged(left))
        stack.enter_context(full_precision(device, recurrent))
        stack.enter_context(torch.enable_grad())
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        yield left
        left += left_on(net)
        if not torch.is_grad_enabled():
            left.append("gradients switched off")


@contextmanager
def _torch_unchanged(left: list[str]) -> Iterator[None]:
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    global_hooks = {name: dict(getattr(hooks, name)) for name in _GLOBAL_HOOKS}
    methods = {(cls, name): vars(cls)[name] for cls in _PATCHED for name in _METHODS if name in vars(cls)}
    try:
        yield
    finally:
        for name, before in global_hooks.items():
            registered = getattr(hooks, name)
            if dict(registered) != before:
                left.append(f"{len(registered) - len(before)} hooks on all modules")
                registered.clear()
                registered.update(before)
        for (cls, name), method in methods.items():
            if vars(cls).get(name) is not method:
                left.append(f"another {cls.__name__}.{name}")
                setattr(cls, name, method)
        if torch.get_default_dtype() != dtype:
            left.append(f"the default type {torch.get_default_dtype()}")
            torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def left_on(net: nn.Module) -> list[str]:
    """Says what code left on the modules of its copy: hooks, other forward passes, frozen weights."""
    hooked = [name or "the network" for name, module in net.named_modules() if _hooks_of(module)]
    patched = [name or "the network" for name, module in net.named_modules() if "forward" in vars(module)]
    frozen = [name for name, parameter in net.named_parameters() if not parameter.requires_grad]
    said = (("hooks on", hooked), ("another forward pass in", patched), ("no gradients for", frozen))
    return [f"{text} {_few(names)}" for text, names in said if names]


def _hooks_of(module: nn.Module) -> bool:
    return any(value for key, value in vars(module).items() if key.endswith("_hooks") and not key.startswith("_global"))


def _few(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
