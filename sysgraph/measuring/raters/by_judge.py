"""Pairs by a judge, who is shown two samples of an input at a time, in both orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sysgraph_compiler import Program

from ...support.progress import Reporter
from ..judges import Judge
from ..samples import Scored
from ..winrate import both_orders, verdict_of
from .base import Rating, ends, require_texts, to_ask


@dataclass(frozen=True)
class ByJudge:
    """A judge of two texts. Where its two verdicts do not agree, or say a tie, there is no pair.

    Args:
        comparisons: at most so many an input; each is two requests.
    """

    judge: Judge
    comparisons: int
    scorer: ClassVar[None] = None

    @property
    def name(self) -> str:
        """The judge's."""
        return f"judge {self.judge.name}"

    def require(self, program: Program, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        """Refuses a system that answers with images."""
        del rows, source
        require_texts(program, f"--judge {self.judge.name}")

    def rate(self, scored: Sequence[Scored], samples: int, reporter: Reporter) -> Rating:
        """What the judge says.

        Raises:
            RunError: the judge fails; its verdicts so far are kept.
        """
        places, clear = to_ask(
            scored, samples, self.comparisons, lambda a, b: a.trace.output() == b.trace.output()
        )
        both = [*ends(scored, samples, places)]
        with reporter.task(f"judge by {self.judge.name}", 2 * len(both)) as task:
            orders = both_orders(self.judge, [(a.trace, b.trace) for a, b in both], task.advance)
        said = [verdict_of(order) for order in orders]
        pairs = [
            (a, b) if points == 1 else (b, a)
            for (a, b), points in zip(both, said, strict=True)
            if points in (0, 1)
        ]
        return Rating([*clear, *pairs], sum(points is None for points in said))
