"""Random numbers that depend on a seed and a place, never on what ran before.

`generator(seed, "batches", step)` gives the same stream in an uninterrupted run and in one that
was killed and resumed at `step`; no random state has to be saved.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *place: str | int) -> int:
    """A 63-bit seed for one place in a run."""
    text = "/".join([str(seed), *map(str, place)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *place: str | int) -> np.random.Generator:
    """A numpy generator for one place in a run."""
    return np.random.default_rng(derive(seed, *place))


def torch_generator(seed: int, *place: str | int) -> "torch.Generator":
    """A torch CPU generator for one place in a run."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *place))
