"""Counts the passes that a search makes through the network that it scores, whatever the method, in gradients.

The unit is the gradient of the loss of one example: a forward and a backward pass. By operations, a backward pass takes
twice a forward pass, since it multiplies by the activations and by the weights. The second derivative of a pass, as of
a product with the Hessian, goes back through the forward and the backward pass and takes twice what these two take.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn
from torch.func import debug_unwrap
from torch.utils.hooks import RemovableHandle


@dataclass
class Passes:
    """How many examples went through the network.

    forward, backward: in passes; second: back through a backward pass, and the forward pass before it.
    """

    forward: float = 0
    backward: float = 0
    second: float = 0

    @property
    def gradients(self) -> float:
        """The number of examples' gradients that take as many operations: (F + 2 B + 6 S) / 3."""
        return (self.forward + 2 * self.backward + 6 * self.second) / 3

    def __add__(self, other: "Passes") -> "Passes":
        """Returns what two searches make together."""
        return Passes(self.forward + other.forward, self.backward + other.backward, self.second + other.second)

    def add(self, other: "Passes") -> None:
        """Counts those of another search, too."""
        self.forward, self.backward = self.forward + other.forward, self.backward + other.backward
        self.second += other.second

    def shared_by(self, calls: int) -> "Passes":
        """Returns what one of so many equal calls made."""
        return Passes(self.forward / calls, self.backward / calls, self.second / calls)

    def as_dict(self) -> dict[str, float]:
        """Returns the counts by name."""
        return asdict(self)


@contextmanager
def counted(network: nn.Module, passes: Passes) -> Iterator[None]:
    """Context manager; adds to `passes` what goes through `network`, and through copies that are made of it inside."""
    handle: RemovableHandle = network.register_forward_hook(_Count(passes), with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class _Count:
    """The hook on a network. A copy of the network gets the same one; hooks on its output count the way back."""

    passes: Passes

    def __call__(self, module: nn.Module, args: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        inputs = [value for value in (*args, *named.values()) if isinstance(value, Tensor)]
        examples = _examples(inputs[0]) if inputs else 1
        self.passes.forward += examples
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(_Back(self.passes, examples))

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Count":
        return self


@dataclass
class _Back:
    """Called with the gradient of a network's output, each time that a backward pass begins there.

    second: whether the pass at hand has come back through an earlier backward pass, so that it is counted already.
    """

    passes: Passes
    examples: int
    second: bool = False

    def __call__(self, gradient: Tensor) -> None:
        if not self.second:
            self.passes.backward += self.examples
        self.second = False
        if gradient.requires_grad:
            gradient.register_hook(self.again)

    def again(self, _: Tensor) -> None:
        """Called where a backward pass goes back through the one that made the gradient."""
        self.passes.second += self.examples
        self.second = True


def _examples(inputs: Tensor) -> int:
    """Returns how many examples a batch has; `vmap` hides all but one, or a part of them."""
    batch = int(inputs.shape[0]) if inputs.dim() else 1
    return batch * debug_unwrap(inputs, recurse=True).numel() // max(inputs.numel(), 1)
