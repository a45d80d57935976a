"""Metrics as sums and counts over pairs, which add up over batches and processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Column = tuple[str, Tensor, Tensor]
"""A metric: its name, a value per pair [B] and the pairs' weights [B]."""


@dataclass(frozen=True)
class Totals:
    """Sums and counts of metrics over pairs; added up over batches and processes, then divided."""

    names: tuple[str, ...]
    sums: Tensor  # (M,)
    counts: Tensor  # (M,)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.names, self.sums + other.sums, self.counts + other.counts)

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Self:
        """The totals of one batch; a pair of weight 0 does not count, whatever its value."""
        weights = torch.stack([weight.float() for _, _, weight in columns])  # (M, B)
        values = torch.stack([value.float() for _, value, _ in columns])
        names = tuple(name for name, _, _ in columns)
        counted = torch.where(weights > 0, values * weights, torch.zeros_like(values))
        return cls(names, counted.sum(1), weights.sum(1))

    def and_share(self, name: str, part: float, whole: float) -> Self:
        """Beside these, a share of something that no pair has alone."""
        sums, counts = (
            torch.cat([t, t.new_tensor([v])]) for t, v in ((self.sums, part), (self.counts, whole))
        )
        return type(self)((*self.names, name), sums, counts)

    def means(self) -> dict[str, float]:
        """Mean of every metric that was seen at all."""
        pairs = zip(self.names, self.sums.tolist(), self.counts.tolist(), strict=True)
        return {name: total / count for name, total, count in pairs if count}

    def count(self, name: str) -> float:
        """Pairs that a metric was seen of."""
        return float(self.counts[self.names.index(name)])

    def over(self, reduce: Callable[[Tensor], Tensor]) -> Self:
        """Sums and counts as `reduce` makes them, of all processes for `Workers.sum`."""
        return type(self)(self.names, reduce(self.sums), reduce(self.counts))

    def to_json(self) -> dict[str, list[float]]:
        """[sum, count] by name: a float32 is the same after a way through JSON."""
        pairs = zip(self.sums.tolist(), self.counts.tolist(), strict=True)
        return {name: list(pair) for name, pair in zip(self.names, pairs, strict=True)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Sequence[float]], device: torch.device) -> Self:
        """Reads what `to_json` wrote."""
        values = torch.tensor(list(saved.values()), dtype=torch.float32, device=device)
        return cls(tuple(saved), values[:, 0], values[:, 1])
