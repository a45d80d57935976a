"""How good a system's answers are on held-out inputs."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from pydantic import BaseModel
from scipy.special import stdtrit

from .answerable import require_answerable
from .errors import InputError
from .progress import Reporter
from .scored import Scored, sample_scored
from .scorers import Scorer, ScorerLike, as_scorer
from .system import System
from .trace import Trace

MAX_BEST_OF = 1024
"""Answers per input."""


class Estimate(BaseModel):
    """A mean of n values and half the width of its 95 % interval (Student's t); None if n < 2."""

    mean: float | None
    half_width: float | None
    n: int

    def __str__(self) -> str:
        if self.mean is None:
            return "none"
        return f"{self.mean:.3f}" + (
            f" ± {self.half_width:.3f}" if self.half_width is not None else ""
        )


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and 95 % interval of independent values."""
    n = len(values)
    if n < 2:
        return Estimate(mean=values[0] if n else None, half_width=None, n=n)
    half_width = float(stdtrit(n - 1, 0.975)) * stdev(values) / math.sqrt(n)
    return Estimate(mean=fmean(values), half_width=half_width, n=n)


class Evaluation(BaseModel):
    """Scores of a system's answers to held-out inputs, one answer each.

    `score`: of the answers that parse. `perfect`: share with the scorer's highest score, None where
    it has none. `failed`: share that a parser rejected. `shares`: of what else the scorer asks, by
    its name; a rejected answer counts as a no.
    """

    scorer: str
    score: Estimate
    perfect: Estimate | None
    failed: float
    shares: dict[str, Estimate] = {}

    def metrics(self) -> dict[str, float | None]:
        """Plain numbers for a metrics file."""
        perfect = {"perfect": self.perfect.mean} if self.perfect else {}
        shares = {name: share.mean for name, share in self.shares.items()}
        return {"score": self.score.mean, **perfect, **shares, "failed": self.failed}

    def __str__(self) -> str:
        text = f"{self.scorer} {self.score}"
        text += f", perfect {self.perfect}" if self.perfect else ""
        text += "".join(f", {name} {share}" for name, share in self.shares.items())
        return text + (f", failed to parse {self.failed:.1%}" if self.failed else "")


def evaluate(
    system: System,
    inputs: Sequence[Mapping[str, Any]],
    scorer: ScorerLike,
    *,
    best_of: int = 1,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Answers every input once (or takes the best-scored of `best_of` answers) and scores that.

    Raises:
        InputError: there are no inputs, or the scorer gave no scores.
    """
    if not inputs:
        raise InputError("nothing to evaluate: there are no inputs")
    if not 1 <= best_of <= MAX_BEST_OF:
        raise InputError(f"best_of is {best_of}; it can be 1 to {MAX_BEST_OF}")
    scorer = as_scorer(scorer)
    scorer.require(inputs, "the inputs")
    require_answerable(system, inputs, "the inputs")
    reporter = reporter or Reporter(shown=False)
    with reporter.task("evaluate", len(inputs)) as task:
        scored = sample_scored(
            system, inputs, scorer, samples=best_of, seed=seed, advance=task.advance
        )
    answers = [_best(scored[i : i + best_of]) for i in range(0, len(scored), best_of)]
    return summarize([one.score for one in answers], scorer, [one.trace for one in answers])


def summarize(scores: Sequence[float], scorer: Scorer, traces: Sequence[Trace] = ()) -> Evaluation:
    """The evaluation of one score per input, minus infinity where a parser rejected the answer.

    Args:
        traces: the answers, for what else the scorer asks of them.
    """
    parsed = [score for score in scores if score != -math.inf]
    top, success = scorer.perfect, scorer.success
    return Evaluation(
        scorer=scorer.name,
        score=estimate(parsed),
        perfect=None if top is None else estimate([float(score >= top) for score in scores]),
        failed=1 - len(parsed) / len(scores),
        shares={success.name: estimate([success.of(t) for t in traces])}
        if success and traces
        else {},
    )


def _best(scored: Sequence[Scored]) -> Scored:
    return max(scored, key=lambda one: one.score)
