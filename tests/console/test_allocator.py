"""Command lines keep the memory that they free; a user's own script, and the process around it, are left alone."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's allocator only"
)

FAULTS = """
import resource, torch
def step(): blocks = [torch.empty(2**20).fill_(1.0) for _ in range(4)]  # 4 MB each
def faults():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10): step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def printed(code: str) -> list[int]:
    """Runs in a process of its own: what other tests hold and free would count too."""
    result = subprocess.run([sys.executable, "-c", FAULTS + code], capture_output=True, text=True, check=True)
    return [int(number) for number in result.stdout.splitlines()[-1].split()]


def test_memory_that_is_freed_is_not_faulted_in_again() -> None:
    code = """
from sanity.console.allocator import keep_memory
given_back = faults(); keep_memory(); print(given_back, faults())
"""
    given_back, kept = printed(code)
    assert kept < 1000 < given_back  # of 40,960 pages of 4 kB


def test_scoring_and_training_in_a_script_of_ones_own_leave_the_allocator_as_it_was() -> None:
    code = """
import methods
from sanity.data.dataset import load
from sanity.recipes import Recipe
from sanity.training.compute import Compute
from sanity.training.loop import TrainingSpec, train
train_data, test_data = load("digits", limit=50, test_limit=20)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
batch = train_data.normalise(train_data.examples), train_data.targets
methods.get("snip").score(net, [batch], torch.Generator())
train([TrainingSpec(net, None, 0)], train_data, test_data, Recipe(epochs=1), Compute("cpu"))
print(faults())
"""
    assert printed(code)[0] > 1000
