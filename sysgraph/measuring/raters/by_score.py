"""Pairs by score: of two samples the one that scored higher is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sysgraph_compiler import Program

from ...support.progress import Reporter
from ..samples import Scored, ordered
from ..scorers import Scorer
from .base import Rating


@dataclass(frozen=True)
class ByScore:
    """A scorer of each sample by itself: every two that differ are a pair."""

    scorer: Scorer

    @property
    def name(self) -> str:
        """The scorer's."""
        return self.scorer.name

    def require(self, program: Program, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        """Refuses rows whose outputs it cannot score."""
        del program
        self.scorer.require(rows, source)

    def rate(self, scored: Sequence[Scored], samples: int, reporter: Reporter) -> Rating:
        """All that `ordered` gives."""
        del reporter
        return Rating([*ordered(scored, samples)])
