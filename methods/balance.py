"""Balances units and paths: finds the mask of one layer that node-path balancing asks for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, prod

import numpy as np
import torch
from torch import Tensor

from sanity.errors import UserError
from sanity.masks.allocation import fitted

Values = np.ndarray[tuple[int], np.dtype[np.float64]]
_LARGE = 2048
"""Kernels above which a layer is solved in chunks."""
_TIES = 1e-6
"""What chance adds to the objective at most, which lies between 0 and 1 + beta."""


@dataclass(frozen=True)
class Kernels:
    """The kernels of a layer, in the order of its weights.

    inputs, outputs: (kernels,) the unit that each reads and the one that it writes. paths: (kernels,) the number of
    paths that lead to the unit that it reads, over all places. seen: (area,) whether a weight of a kernel ever meets
    the map, and not its padding alone; as many as a kernel has weights.
    """

    inputs: Tensor
    outputs: Tensor
    paths: Tensor
    seen: Tensor

    @classmethod
    def of(cls, shape: Sequence[int], groups: int, paths: Tensor, seen: Tensor | None = None) -> "Kernels":
        """Reads the kernels of a weight of `shape` (outputs, inputs / groups, ...); paths: (inputs,).

        seen: (area,) of the weights of a kernel; None: all meet the map.
        """
        outputs = torch.arange(shape[0])[:, None].expand(shape[0], shape[1])
        inputs = torch.arange(shape[1]) + outputs // (shape[0] // groups) * shape[1]
        every = torch.ones(prod(shape[2:]), dtype=torch.bool)
        of_inputs = paths.double().cpu()[inputs.flatten()]
        return cls(inputs.flatten(), outputs.flatten(), of_inputs, every if seen is None else seen)

    @property
    def area(self) -> int:
        """How many weights a kernel has."""
        return len(self.seen)

    def of_outputs(self, start: int, stop: int) -> "Kernels":
        """Returns the kernels that lead to the units from `start` to before `stop`."""
        chosen = (self.outputs >= start) & (self.outputs < stop)
        return Kernels(self.inputs[chosen], self.outputs[chosen], self.paths[chosen], self.seen)


@dataclass(frozen=True)
class Balance:
    """What is maximised, see `methods.npb.NPB`: options of the method.

    seconds: what each problem took, to which every solution adds its own.
    """

    alpha: float
    beta: float
    per_kernel: int
    time_limit: float
    seconds: list[float] = field(default_factory=list)

    def mask(self, name: str, kernels: Kernels, keep: int, chunk: int, generator: torch.Generator) -> Tensor:
        """Returns the flat mask of a layer called `name` that keeps `keep` weights, at random places of each kernel.

        Places that only meet padding come last: they are kept where a kernel has no others left.
        """
        outputs = int(kernels.outputs[-1]) + 1
        width = chunk if len(kernels.inputs) > _LARGE else outputs
        parts = {str(start): kernels.of_outputs(start, start + width) for start in range(0, outputs, width)}
        sizes = {start: len(part.inputs) * kernels.area for start, part in parts.items()}
        shares = fitted(dict.fromkeys(sizes, 1.0), sizes, keep)
        counts = torch.cat([self._counts(name, part, shares[start], generator) for start, part in parts.items()])
        chance = torch.rand(len(counts), kernels.area, generator=generator)
        order = (chance + ~kernels.seen).argsort(1).argsort(1)
        return (order < counts[:, None]).flatten()

    def _counts(self, name: str, kernels: Kernels, keep: int, generator: torch.Generator) -> Tensor:
        """Returns how many weights each kernel keeps, `keep` in all: the optimum."""
        noise = torch.rand(len(kernels.inputs), generator=generator, dtype=torch.float64).numpy()
        if not keep:
            return torch.zeros(len(kernels.inputs), dtype=torch.long)
        most = max(min(self.per_kernel, int(kernels.seen.sum())), ceil(keep / len(kernels.inputs)))
        counts = self._solution(name, kernels, keep, most, noise)
        return torch.from_numpy(counts).round().long()

    def _solution(self, name: str, kernels: Kernels, keep: int, most: int, noise: Values) -> Values:
        """Solves the relaxation; its basic solutions are whole, as those of every problem of flows with whole bounds.

        Variables: weights of each kernel; then, from 0 to 1, whether a unit has one, and whether a kernel has one.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp  # takes a second to import, and one method needs it
        from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

        paths, edges = kernels.paths.numpy(), len(kernels.inputs)
        ends = [np.unique(part.numpy(), return_inverse=True)[1] for part in (kernels.inputs, kernels.outputs)]
        ends[1] = ends[1] + ends[0].max() + 1
        units, many = int(ends[1].max()) + 1, edges if most > 1 else 0  # else a kernel in use is a weight kept
        best = np.sort(np.repeat(paths, most))[::-1][:keep].sum()
        of_paths = (1 - self.alpha) * paths / best if best > 0 else np.zeros(edges)
        gains = np.concatenate(
            [of_paths + noise * _TIES / keep, np.full(units, self.alpha / units), np.full(many, self.beta / keep)]
        )
        where = np.concatenate(ends), np.tile(np.arange(edges), 2)
        met = csr_array(coo_array((np.ones(2 * edges), where), shape=(units, edges)))
        of_units = hstack([-met, eye_array(units), csr_array((units, many))])
        of_kernels = hstack([-eye_array(many, edges), csr_array((many, units)), eye_array(many)])
        in_all = np.concatenate([np.ones(edges), np.zeros(units + many)])
        began = time.perf_counter()
        result = milp(
            -1e3 * keep * gains,  # so that the gains of single weights, chance included, exceed the solver's tolerance
            bounds=Bounds(0, np.concatenate([np.full(edges, most), np.ones(units + many)])),
            constraints=[
                LinearConstraint(vstack([of_units, of_kernels], format="csr"), -np.inf, 0),
                LinearConstraint(in_all[None], keep, keep),
            ],
            options={"time_limit": self.time_limit},
        )
        if result.status == 1:
            raise UserError(
                f"npb: '{name}' was not solved within time_limit={self.time_limit:g} seconds; raise it or lower chunk"
            )
        if not result.success:
            raise UserError(f"npb: '{name}' was not solved: {result.message}")
        self.seconds.append(time.perf_counter() - began)
        return np.asarray(result.x[:edges])


def filled_up(mask: Tensor, live: Tensor, generator: torch.Generator, seen: Tensor | None = None) -> Tensor:
    """Returns the mask of a layer whose weights on no path have moved into kernels that lie on one, the fullest first.

    live: the weights of `mask` on a path. What finds no room there stays where it is. seen: (area,) the places of a
    kernel that meet the map, none else is filled; None: all.
    """
    kernels, wanted = live.flatten(2) if live.dim() > 2 else live[..., None], int((mask & ~live).sum())
    full = kernels.sum(2, keepdim=True)
    order = torch.rand(kernels.shape, generator=generator, dtype=torch.float64) + 2 * full
    fillable = (full > 0) & ~kernels if seen is None else (full > 0) & ~kernels & seen.to(kernels.device)
    free = torch.where(fillable, order, -1.0).flatten()
    moved = min(wanted, int((free >= 0).sum()))
    settled = live.flatten().clone()
    settled[free.topk(moved).indices] = True
    stay = ((mask & ~live).flatten() & ~settled).nonzero().squeeze(1)
    settled[stay[: wanted - moved]] = True
    return settled.view(mask.shape)
