"""Preference pairs from the system itself: sample, score, and pair what scored differently."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from ..support.errors import InputError, RunError
from ..system import System
from ..traces.pair import Pair
from ..traces.trace import Trace
from .scorers import Scorer, Unscored


@dataclass(frozen=True)
class Scored:
    """A trace and its score; minus infinity where it failed."""

    trace: Trace
    score: float
    source: str


def sample_scored(
    system: System,
    inputs: Sequence[Mapping[str, Any]],
    scorer: Scorer,
    *,
    samples: int,
    seed: int,
    occurrences: Sequence[int] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Scored]:
    """`samples` traces per input with their scores, input by input.

    Args:
        occurrences: as `System.sample` takes it, where `inputs` are a part of more.
        advance: told the number of inputs done, as they are.
    """
    out: list[Scored] = []
    for scored in scored_chunks(
        system, inputs, scorer, samples=samples, seed=seed, occurrences=occurrences
    ):
        out += scored
        advance(len(scored) // samples)
    return out


def scored_chunks(
    system: System,
    inputs: Sequence[Mapping[str, Any]],
    scorer: Scorer | None,
    *,
    samples: int,
    seed: int,
    start: int = 0,
    occurrences: Sequence[int] | None = None,
) -> Iterator[list[Scored]]:
    """`sample_scored`, a few inputs at a time; `start` is as `System.stream` takes it.

    Without a scorer all that did not fail have the score 0.
    """
    number = itertools.count(start * samples)
    for traces in system.stream(inputs, samples, seed, start=start, occurrences=occurrences):
        yield [
            _scored(trace, score, f"input {next(number) // samples + 1}")
            for trace, score in zip(traces, _scores(scorer, traces), strict=True)
        ]


def _scored(trace: Trace, score: float | Unscored, source: str) -> Scored:
    """A trace that its scorer says nothing of has stopped: it is no worse than others."""
    if isinstance(score, Unscored):
        return Scored(replace(trace, stopped=score.why), -math.inf, source)
    return Scored(trace, score, source)


def _scores(scorer: Scorer | None, traces: Sequence[Trace]) -> list[float | Unscored]:
    if scorer is None:
        return [-math.inf if trace.failed else 0.0 for trace in traces]
    try:
        return scorer.attempt(traces)
    except InputError as error:  # of these outputs: by now the run has started
        raise RunError(str(error)) from error


def ordered(scored: Sequence[Scored], samples: int) -> Iterator[tuple[Scored, Scored]]:
    """(better, worse) for every two of an input's samples with different scores.

    A sample that failed loses to every one that did not; one that abstains has a score like any
    other. Ties make no pair, and neither does a sample that was stopped. 4 samples give up to 6
    pairs.
    """
    for start in range(0, len(scored), samples):
        for a, b in itertools.combinations(scored[start : start + samples], 2):
            stopped = a.trace.stopped is not None or b.trace.stopped is not None
            if a.score != b.score and not stopped:
                yield (a, b) if a.score > b.score else (b, a)


def why_no_pairs(scored: Sequence[Scored], samples: int) -> str:
    """Why `ordered` finds none among `scored`, which are not empty."""
    scores = sorted({one.score for one in scored})
    stopped = [one for one in scored if one.trace.stopped is not None]
    if scores == [-math.inf] and stopped:
        first = f"{stopped[0].source}: {stopped[0].trace.stopped}"
        return f"of {len(scored)} samples {len(stopped)} were stopped, the first: {first}"
    if scores == [-math.inf]:
        return f"all {len(scored)} samples failed: a parser or a tool rejected every one"
    shown = ", ".join("failed" if s == -math.inf else f"{s:.4g}" for s in scores[:3])
    return (
        f"the {samples} samples of each of {len(scored) // samples} inputs tied (scores: {shown}"
        f"{', ...' if len(scores) > 3 else ''}). More samples an input, a higher temperature or a "
        "scorer that tells more apart give pairs"
    )


def ordered_pairs(scored: Sequence[Scored], samples: int) -> Iterator[Pair]:
    """What `ordered` gives, as preferences."""
    for better, worse in ordered(scored, samples):
        yield Pair(better.trace, worse.trace, better.source)


def mean_score(scored: Sequence[Scored]) -> float:
    """Mean score, a failed parse counting as the worst score of those that parsed (0 if none)."""
    parsed = [one.score for one in scored if one.score != -math.inf]
    worst = min(parsed, default=0.0)
    return fmean(max(one.score, worst) for one in scored)
