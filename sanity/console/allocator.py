"""Sets the process's memory allocator for training on a CPU. Only command lines call it: it outlasts the call."""

import ctypes
from contextlib import suppress
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_memory() -> None:
    """Lets the process keep the memory that it frees, for good, where its C library is glibc.

    By default glibc hands large blocks back to the system, and each step faults its activations and gradients in again
    page by page: 3,600 faults a step for 8 stacked LeNet-300-100, half of its time.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 2**25)  # the largest that glibc allows
        mallopt(_M_TRIM_THRESHOLD, 2**30)
        # not one arena for all threads: two that train side by side would wait for each other at every allocation
