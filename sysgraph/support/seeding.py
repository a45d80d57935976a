"""Random numbers that depend on what is drawn, never on how draws are batched."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .device import on_device


def derive(*parts: object) -> int:
    """A 63-bit seed from any printable parts, the same on every machine."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """[len(seeds), count] numbers in [0, 1), float32, CPU; a row depends on its seed alone."""
    rows = [np.random.Generator(np.random.Philox(seed)).random(count, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows)) if rows else torch.empty(0, count)


def gumbels(seeds: Sequence[int], count: int, device: torch.device) -> Tensor:
    """[len(seeds), count] standard Gumbel numbers, float32; a row depends on its seed alone.

    Row r is -log(-log(1 - u)) of what SplitMix64 (Steele, Lea and Flood 2014) gives from its seed,
    made on `device`: a row is as long as a vocabulary. The small u, whose Gumbel numbers are large
    and win, keep float32's whole precision down to 2**-33.
    """
    start = on_device(seeds, device, torch.int64)[:, None]
    x = start + _GOLDEN * torch.arange(1, count + 1, dtype=torch.int64, device=device)
    x.bitwise_xor_(_shifted(x, 30)).mul_(_MIX[0])  # [R, count], modulo 2**64
    x.bitwise_xor_(_shifted(x, 27)).mul_(_MIX[1])
    x.bitwise_xor_(_shifted(x, 31))
    u = _shifted(x, 32).float().add_(0.5).mul_(2.0**-32)
    return u.neg_().log1p_().neg_().log_().neg_()


_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Unsigned 64-bit numbers, shifted to the right."""
    return (x >> bits).bitwise_and_(2 ** (64 - bits) - 1)
