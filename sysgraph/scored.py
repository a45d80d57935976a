"""Preference pairs from the system itself: sample, score, and pair what scored differently."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from .scorers import Scorer
from .system import System
from .trace import Trace
from .training.pairs import Pair

# Inputs in one call of `System.sample`: enough to fill a model's batch, few enough to show progress.
_INPUTS_PER_CALL = 64


@dataclass(frozen=True)
class Scored:
    """A trace and its score; minus infinity where a parser rejected it."""

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
    advance: Callable[[int], None] = lambda count: None,
) -> list[Scored]:
    """`samples` traces per input with their scores, input by input.

    Args:
        advance: told the number of inputs done, as they are.
    """
    out: list[Scored] = []
    for start in range(0, len(inputs), _INPUTS_PER_CALL):
        chunk = inputs[start : start + _INPUTS_PER_CALL]
        traces = system.sample(chunk, n=samples, seed=seed)
        for i, (trace, score) in enumerate(zip(traces, scorer(traces), strict=True)):
            out.append(Scored(trace, score, f"input {start + i // samples + 1}"))
        advance(len(chunk))
    return out


def ordered_pairs(scored: Sequence[Scored], samples: int) -> Iterator[Pair]:
    """Every pair of an input's samples with different scores, the better one chosen.

    A sample that failed to parse loses to every one that did not; ties make no pair. 4 samples give
    up to 6 pairs.
    """
    for start in range(0, len(scored), samples):
        for a, b in itertools.combinations(scored[start : start + samples], 2):
            if a.score != b.score:
                better, worse = (a, b) if a.score > b.score else (b, a)
                yield Pair(better.trace, worse.trace, better.source)


def mean_score(scored: Sequence[Scored]) -> float:
    """Mean score, a failed parse counting as the worst score among those that parsed (0 if none)."""
    parsed = [one.score for one in scored if one.score != -math.inf]
    worst = min(parsed, default=0.0)
    return fmean(max(one.score, worst) for one in scored)
