"""Names the clocks that speed can be measured by. Imports no torch: the help of the benchmarks needs them."""

from typing import Literal

Clock = Literal["wall", "cpu"]
"""`cpu`: processor seconds of all threads (user and system), which other work on the machine lengthens little."""
