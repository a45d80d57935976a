"""Which draws are one request: those of one model, prompt and manner."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...support.grouping import grouped
from ..asked import Draw
from ..ordering import Order

_TOKENS = 1 << 17
"""Tokens of a reply at most: its texts come at once."""
_SEEDS = 2**62
"""Requests have seeds below it, and text i of a request that seed + i: they take 63 bits."""


@dataclass(frozen=True)
class Lot:
    """One request's draws.

    Attributes:
        draws: those that differ, as indices of all.
        seed: of the first text.
        n: texts to ask for.
    """

    model: str
    order: Order
    draws: tuple[int, ...]
    seed: int
    n: int

    def key(self) -> str:
        """Tells the request from all others under the same weights."""
        order = self.order
        settings = sorted(order.decoding.given.items())
        parts = [order.prompt, order.room, order.ends, settings, self.seed, self.n]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def lots(draws: Sequence[Draw], orders: Sequence[Order]) -> list[Lot]:
    """The requests for draws that all differ.

    The first draw of a prompt says the seed: so it is the same text however many are drawn beside
    it, and those that follow are, as long as what comes before them is.
    """
    out = []
    for indices in grouped(range(len(draws)), lambda i: (draws[i].model, orders[i])):
        order = orders[indices[0]]
        greedy = order.decoding.is_greedy  # all texts are one
        size = len(indices) if greedy else max(1, _TOKENS // order.room)
        parts = [indices[i : i + size] for i in range(0, len(indices), size)]
        for part in parts:
            first = draws[part[0]]
            seed = 0 if greedy else first.seed % _SEEDS
            out.append(Lot(first.model, order, tuple(part), seed, 1 if greedy else len(part)))
    return out
