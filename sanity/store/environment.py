"""Describes the environment of a result: device, package versions, commit."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from sanity import __version__

if TYPE_CHECKING:
    import torch  # reading records needs none

_PACKAGES = ("torch", "torchvision", "numpy")


@dataclass(frozen=True)
class Machine:
    """Describes the hardware of a run, measured once before the run changes its number of threads.

    device: its product name. cores: the number that the process may use. threads: the number for one operation.
    """

    device: str
    cores: int
    threads: int


def machine(chosen: "torch.device") -> Machine:
    """Describes the machine as it is now."""
    import torch  # reading records needs none

    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return Machine(describe(chosen), cores, torch.get_num_threads())


def describe(chosen: "torch.device") -> str:
    """Returns the product name of the device; for a CPU also the number of threads that torch may use now."""
    import torch  # reading records needs none

    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    name = _of_cpu("model name") or platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' * (threads > 1)}"


def hardware() -> list[str]:
    """Returns what the choice of device and precision depends on, as far as it is seen without torch.

    The name of the machine, the model and the instructions of its CPU, and the names of its GPUs' device files.
    """
    devices = sorted(str(path) for pattern in ("nvidia*", "kfd") for path in Path("/dev").glob(pattern))
    return [platform.node(), platform.machine(), _of_cpu("model name"), _of_cpu("flags"), *devices]


def _of_cpu(key: str) -> str:
    """Returns an entry of Linux's description of the first processor; empty where there is none."""
    lines = (line.partition(":") for line in _lines("/proc/cpuinfo"))
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


@lru_cache
def versions() -> dict[str, str]:
    """Returns the versions of Python, of this suite and of the packages that results depend on."""
    installed = {"python": platform.python_version(), "sanity": __version__}
    for package in _PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "absent"
    return installed


@lru_cache
def commit() -> str:
    """Returns the commit of the suite's checkout, with a + if files differ from it; empty outside a checkout."""
    root = Path(__file__).parents[2]

    def git(*words: str) -> str:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return answer.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return ""
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""
