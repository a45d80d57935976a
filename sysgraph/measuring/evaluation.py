"""How good a system's answers are on held-out inputs."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from pydantic import BaseModel
from scipy.special import ndtri, stdtrit

from ..support.errors import InputError
from ..support.progress import Reporter
from ..system import System
from ..system.answerable import require_answerable
from ..traces.trace import Trace
from .samples import Scored, sample_scored
from .scorers import Scorer, ScorerLike, as_scorer

MAX_BEST_OF = 1024
"""Answers per input."""


WHY_FAILED = (
    "a parser or tool rejected, a prompt did not fit its model, or a server would not answer"
)
WHY_ABSTAINED = "a parser or tool had no value, and `on_failure` says abstain: the scorer judges it"


class Estimate(BaseModel):
    """A mean of n values and its 95 % interval; None where the values do not say.

    One value, or several that are all the same, say nothing of how far apart others would be.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.mean is None:
            return "none"
        if self.low is None or self.high is None:
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval (Student's t) of independent values."""
    n = len(values)
    mean = fmean(values) if n else None
    if mean is None or math.isclose(min(values), max(values), rel_tol=1e-9, abs_tol=1e-12):
        return Estimate(mean=mean, low=None, high=None, n=n)
    half_width = float(stdtrit(n - 1, 0.975)) * stdev(values) / math.sqrt(n)
    return Estimate(mean=mean, low=mean - half_width, high=mean + half_width, n=n)


def share(total: float, n: int) -> Estimate:
    """`total` of `n` with Wilson's interval, which is honest where it is all of them, or none.

    For values between 0 and 1 it is at least as wide as it has to be: they vary by p (1 - p) at
    most, ties by less.
    """
    if n == 0:
        return Estimate(mean=None, low=None, high=None, n=0)
    p, z2 = total / n, float(ndtri(0.975)) ** 2
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half_width = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Where p is 0 or 1 it is an end of the interval, to rounding.
    low, high = max(0.0, min(p, center - half_width)), min(1.0, max(p, center + half_width))
    return Estimate(mean=p, low=low, high=high, n=n)


class Evaluation(BaseModel):
    """Scores of a system's answers to held-out inputs, one answer each.

    `score`: of those that did not fail; a share, if the scorer says 0 or 1. `perfect`: share
    with the scorer's highest score, None where it has none. `failed`: share without an output, as a
    parser or tool rejected, or a prompt did not fit. `abstained`: share where a parser or tool
    abstained (`on_failure: abstain`), which has a score. `shares`: of what else the scorer asks, by
    its name; an answer that failed counts as a no.
    """

    scorer: str
    score: Estimate
    perfect: Estimate | None
    failed: Estimate
    abstained: Estimate
    shares: dict[str, Estimate] = {}

    def metrics(self) -> dict[str, float | None]:
        """Plain numbers for a metrics file."""
        perfect = {"perfect": self.perfect.mean} if self.perfect else {}
        shares = {name: share.mean for name, share in self.shares.items()}
        lost = {"failed": self.failed.mean, "abstained": self.abstained.mean}
        return {"score": self.score.mean, **perfect, **shares, **lost}

    def __str__(self) -> str:
        text = f"{self.scorer} {self.score}"
        text += f", perfect {self.perfect}" if self.perfect else ""
        text += "".join(f", {name} {share}" for name, share in self.shares.items())
        text += f", abstained {self.abstained}" if self.abstained.mean else ""
        return text + (
            f", without an output {self.failed} ({WHY_FAILED})" if self.failed.mean else ""
        )


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
    scorer = as_scorer(scorer)
    answers = answered(system, inputs, scorer, best_of=best_of, seed=seed, reporter=reporter)
    return summarize([one.score for one in answers], scorer, [one.trace for one in answers])


def answered(
    system: System,
    inputs: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    *,
    best_of: int = 1,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> list[Scored]:
    """The answers that `evaluate` summarizes, one an input, each with its score."""
    if not inputs:
        raise InputError("nothing to evaluate: there are no inputs")
    if not 1 <= best_of <= MAX_BEST_OF:
        raise InputError(f"best_of is {best_of}; it can be 1 to {MAX_BEST_OF}")
    scorer.require(inputs, "the inputs")
    require_answerable(system, inputs, "the inputs")
    reporter = reporter or Reporter(shown=False)
    with reporter.task("evaluate", len(inputs)) as task:
        scored = sample_scored(
            system, inputs, scorer, samples=best_of, seed=seed, advance=task.advance
        )
    return [_best(scored[i : i + best_of]) for i in range(0, len(scored), best_of)]


def summarize(scores: Sequence[float], scorer: Scorer, traces: Sequence[Trace] = ()) -> Evaluation:
    """The evaluation of one score per input, minus infinity where it failed.

    Args:
        traces: the answers, for what else the scorer asks of them.
    """
    parsed = [score for score in scores if score != -math.inf]
    top, success, n = scorer.perfect, scorer.success, len(scores)
    abstained = sum(trace.abstains and not trace.failed for trace in traces)
    yes_or_no = top in (None, 1) and set(parsed) <= {0, 1}
    return Evaluation(
        scorer=scorer.name,
        score=share(sum(parsed), len(parsed)) if yes_or_no else estimate(parsed),
        perfect=None if top is None else share(sum(score >= top for score in scores), n),
        failed=share(n - len(parsed), n),
        abstained=share(abstained, n),
        shares={success.name: share(sum(map(success.of, traces)), len(traces))}
        if success and traces
        else {},
    )


def _best(scored: Sequence[Scored]) -> Scored:
    return max(scored, key=lambda one: one.score)
