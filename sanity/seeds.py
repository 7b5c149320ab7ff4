"""Makes one random generator per stage of a run, seeded by (seed, stage), so that a check changes no other stage.

All draws are made on the CPU, so that runs on a GPU use the same weights, batches and crops.
"""

import hashlib

import torch


def _seed_of(*parts: object) -> int:
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *stage: object) -> torch.Generator:
    """Returns a new CPU generator for one stage of the run with this seed, e.g. `generator(0, "init")`."""
    return torch.Generator().manual_seed(_seed_of(seed, *stage))


def derive(parent: torch.Generator, *stage: object) -> torch.Generator:
    """Returns a generator that depends on the seed of `parent` and the stage, not on earlier draws from `parent`."""
    return torch.Generator().manual_seed(_seed_of(parent.initial_seed(), *stage))
