"""Rows of token ids end to end, in which what several begin with stands once.

A prompt is thus run once for the chosen and the rejected answer, for all samples that follow it,
and for all nodes of one model that share it. Nothing is padding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..checkpoints.batching import Ids, common_prefix
from .tokens import Encoded


@dataclass(frozen=True)
class Run:
    """Tokens that stand together: those of a row that the row before it does not have.

    Attributes:
        start: where they begin.
        stop: where they end.
        earlier: where the row's tokens before them stand, in their order.
    """

    start: int
    stop: int
    earlier: tuple[slice, ...]


@dataclass(frozen=True)
class Packed:
    """Rows in one, [N] tokens.

    Attributes:
        tokens: [N] ids.
        positions: [N] each token's, in its own row.
        runs: what they consist of.
        before: [S] where the token before each scored one stands; no token is scored twice.
        scored: [S] where the scored ones stand.
        slots: of each row, which of those S its completion is.
    """

    tokens: list[int]
    positions: list[int]
    runs: tuple[Run, ...]
    before: list[int]
    scored: list[int]
    slots: list[list[int]]


def pack(rows: Sequence[Encoded]) -> Packed:
    """`rows` in one; those that begin alike must follow each other to share anything."""
    tokens: list[int] = []
    positions: list[int] = []
    runs: list[Run] = []
    before: list[int] = []
    slot_of: dict[int, int] = {}
    slots: list[list[int]] = []
    last = Ids()
    places: tuple[slice, ...] = ()  # of the last row's tokens
    for row in rows:
        ids = row.ids
        shared = common_prefix(last, ids)
        places, last = _first(places, shared), ids
        if shared < len(ids):
            runs.append(Run(len(tokens), len(tokens) + len(ids) - shared, places))
            places = (*places, slice(runs[-1].start, runs[-1].stop))
            tokens += ids[shared:]
            positions += range(shared, len(ids))
        where = [i for place in places for i in range(place.start, place.stop)]
        first = len(row.prompt)
        for place, previous in zip(where[first:], where[first - 1 :], strict=False):
            if place not in slot_of:
                slot_of[place] = len(before)
                before.append(previous)
        slots.append([slot_of[place] for place in where[first:]])
    return Packed(tokens, positions, tuple(runs), before, list(slot_of), slots)


def packs(rows: Sequence[Encoded], budget: int) -> Iterator[tuple[list[int], int]]:
    """Indices of rows that are packed together, in order, and the tokens that they come to.

    Args:
        budget: tokens of a pack; a row alone may have more.
    """
    batch: list[int] = []
    count, last = 0, Ids()
    for ids, index in sorted((row.ids, i) for i, row in enumerate(rows)):
        more = len(ids) - common_prefix(last, ids)
        if batch and count + more > budget:
            yield batch, count
            batch, count, more = [], 0, len(ids)
        batch.append(index)
        count, last = count + more, ids
    if batch:
        yield batch, count


def _first(places: Sequence[slice], count: int) -> tuple[slice, ...]:
    """Where the first `count` of a row's tokens stand."""
    out = []
    for place in places:
        size = min(place.stop - place.start, count)
        if size:
            out.append(slice(place.start, place.start + size))
        count -= size
    return tuple(out)
