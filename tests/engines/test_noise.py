"""Random numbers that a seed fixes, and draws by them that rounding does not change."""

import numpy as np
import torch
from scipy import stats

from sysgraph.engines.causal_lm.generation import gumbel_max
from sysgraph.support.seeding import gumbels

CPU = torch.device("cpu")


def split_mix(seed: int, count: int) -> list[int]:
    """SplitMix64 as its authors write it, in whole numbers."""
    out, mask = [], 2**64 - 1
    for _ in range(count):
        seed = seed + 0x9E3779B97F4A7C15 & mask
        z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        out.append(z ^ z >> 31)
    return out


def test_numbers_are_those_of_the_generator() -> None:
    seeds = [0, 77, 2**63 - 1]
    u = np.array([[z >> 32 for z in split_mix(seed, 500)] for seed in seeds]) + 0.5
    wanted = torch.from_numpy(-np.log(-np.log1p(-u / 2**32)))
    torch.testing.assert_close(gumbels(seeds, 500, CPU).double(), wanted, rtol=1e-5, atol=1e-5)


def test_numbers_are_gumbel_and_a_row_depends_on_its_seed_alone() -> None:
    found = gumbels(range(300), 64, CPU)
    assert stats.kstest(found.flatten().double().numpy(), "gumbel_r").pvalue > 0.01
    assert torch.equal(gumbels([7, 3], 16, CPU), found[[7, 3], :16])


def test_rare_tokens_are_drawn_as_often_as_they_should() -> None:
    """10,000 of one in 100,000 each: their share, of which coarse numbers would leave out some."""
    probabilities = torch.full((10_001,), 1e-5)
    probabilities[0] = 0.9
    tokens = gumbel_max(probabilities.log()[None], gumbels(range(2000), 10_001, CPU))
    assert stats.binomtest(int((tokens > 0).sum()), 2000, 0.1).pvalue > 0.01
    assert len(tokens.unique()) > 150


def test_rounding_does_not_change_draws() -> None:
    """Logits that differ by 4e-5, as those of a real model do between batch sizes."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(49_152, generator=generator) * 3
    beside = logits + torch.randn(49_152, generator=generator) * 1e-5
    moved = 0
    for first in range(0, 500, 50):
        noise = gumbels(range(first, first + 50), 49_152, CPU)
        moved += int((gumbel_max(logits[None], noise) != gumbel_max(beside[None], noise)).sum())
    assert moved == 0
