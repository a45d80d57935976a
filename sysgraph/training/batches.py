"""Which pairs make up which step: a function of seed and step alone, so that a run can resume."""

from collections.abc import Sequence
from functools import lru_cache

import torch

from ..support.seeding import derive


def batch_visits(count: int, size: int, step: int, seed: int) -> list[int]:
    """The visits of batch `step` (from 0), of `count` rows shuffled anew every epoch: [size].

    A visit is a number that tells a row from itself in other epochs: row + count * epoch.
    """
    start = step * size
    return [_visit(count, seed, at) for at in range(start, start + size)]


def visits_drawn(count: int, size: int, steps: int, seed: int, *, epochs: int = 1) -> list[int]:
    """The visits of the first `epochs` epochs that the first `steps` batches hold."""
    return sorted(_visit(count, seed, at) for at in range(min(steps * size, epochs * count)))


def _visit(count: int, seed: int, at: int) -> int:
    return at - at % count + _epoch(count, seed, at // count)[at % count]


@lru_cache(maxsize=4)
def _epoch(count: int, seed: int, epoch: int) -> tuple[int, ...]:
    return tuple(shuffled(count, derive("epoch", seed, epoch)))


def shuffled(count: int, seed: int) -> list[int]:
    """0 .. count - 1 in an order that `seed` decides."""
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order


def hold_out(keys: list[str], fraction: float, seed: int) -> list[bool]:
    """Whether each row is held out: whole keys are, so that no input is on both sides.

    At least one key is held out where `fraction` > 0 and there are two, and one always stays.
    """
    distinct = sorted(set(keys))
    order = shuffled(len(distinct), derive("hold out", seed))
    wanted = max(1, round(fraction * len(distinct))) if fraction else 0
    held = {distinct[i] for i in order[: max(0, min(wanted, len(distinct) - 1))]}
    return [key in held for key in keys]


def chunks(rows: Sequence[int], size: int) -> list[list[int]]:
    """Rows in their order, `size` at a time."""
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]
