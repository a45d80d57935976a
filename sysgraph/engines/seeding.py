"""Random numbers that depend on what is drawn, never on how draws are batched."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def derive(*parts: object) -> int:
    """A 63-bit seed from any printable parts, the same on every machine."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """[len(seeds), count] numbers in [0, 1), float32, CPU; a row depends on its seed alone."""
    rows = [np.random.Generator(np.random.Philox(seed)).random(count, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, count)
