"""Counting what models compute on."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What models computed on: tokens, and beside them the padding that rows were filled up with.

    Every run of a pass counts, whatever asked for it.
    """

    tokens: int = 0
    padding: int = 0

    @property
    def padded(self) -> float | None:
        """The padding's share of all that was run; None of nothing."""
        run = self.tokens + self.padding
        return self.padding / run if run else None

    def __add__(self, other: "Work") -> "Work":
        return Work(self.tokens + other.tokens, self.padding + other.padding)

    def __sub__(self, other: "Work") -> "Work":
        return Work(self.tokens - other.tokens, self.padding - other.padding)

    @classmethod
    def of(cls, sizes: Sequence[int]) -> "Work":
        """Of rows of so many tokens, filled up to the longest."""
        return cls(sum(sizes), max(sizes, default=0) * len(sizes) - sum(sizes))


NOTHING = Work()
