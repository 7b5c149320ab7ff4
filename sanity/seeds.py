"""One generator a stage, seeded by (seed, stage): a check changes what it perturbs and nothing else.

Every draw is made on the CPU, so that a run on a GPU sees the same weights, batches and crops.
"""

import hashlib

import torch


def _seed_of(*parts: object) -> int:
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *stage: object) -> torch.Generator:
    """A fresh CPU generator for one stage of the run with this seed, e.g. `generator(0, "init")`."""
    return torch.Generator().manual_seed(_seed_of(seed, *stage))


def derive(parent: torch.Generator, *stage: object) -> torch.Generator:
    """A child of `parent` that depends on the parent's seed and the stage's name, not on what was drawn before."""
    return torch.Generator().manual_seed(_seed_of(parent.initial_seed(), *stage))
