"""Scorers of final outputs, picked by registered name (entry-point group `sysgraph.scorers`)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from sysgraph_schemas.suggest import suggestion

from .errors import InputError
from .toys import specialists
from .trace import Trace

GROUP = "sysgraph.scorers"


@dataclass(frozen=True)
class Scorer:
    """Says how good final outputs are.

    `score` takes traces that did not fail and returns a number each, more is better. `perfect` is
    the highest score there is, if there is one: then the share of perfect answers is reported too.
    """

    name: str
    score: Callable[[Sequence[Trace]], Sequence[float]]
    perfect: float | None = None

    def __call__(self, traces: Sequence[Trace]) -> list[float]:
        """The score of each trace; minus infinity for one that a parser rejected.

        Raises:
            InputError: the scorer did not return a finite number for each trace that it was given.
        """
        good = [trace for trace in traces if not trace.failed]
        found = iter(self._scores(good))
        return [-math.inf if trace.failed else next(found) for trace in traces]

    def _scores(self, traces: Sequence[Trace]) -> list[float]:
        scores = list(self.score(traces)) if traces else []
        if len(scores) != len(traces):
            raise InputError(
                f"scorer {self.name!r} returned {len(scores)} scores for {len(traces)} traces"
            )
        for trace, score in zip(traces, scores, strict=True):
            if not _is_finite(score):
                raise InputError(
                    f"scorer {self.name!r} returned {score!r:.60} for the output "
                    f"{trace.output()!r:.60}; expected a finite number"
                )
        return [float(score) for score in scores]


def _is_finite(score: object) -> bool:
    try:
        return math.isfinite(score)  # type: ignore[arg-type]  # a scorer may return anything
    except (TypeError, OverflowError):
        return False


def find_scorer(name: str) -> Scorer:
    """The scorer registered under `name`.

    Raises:
        InputError: there is none.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in registered:
        raise InputError(
            f"no scorer is registered as {name!r}; {suggestion(name, registered, 'there are')} "
            f"(packages register them in the entry-point group {GROUP!r})"
        )
    point = registered[name]
    try:
        scorer = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(f"scorer {name!r} ({point.value}) cannot be loaded: {error}") from error
    if not isinstance(scorer, Scorer):
        raise InputError(f"scorer {name!r} ({point.value}) is no sysgraph.Scorer: {scorer!r:.60}")
    return scorer


def _attributes(traces: Sequence[Trace]) -> list[float]:
    try:
        return [specialists.attributes(t.inputs["question"], t.output()) for t in traces]
    except KeyError:
        raise InputError("scorer 'attributes' needs a graph with an input `question`") from None
    except ValueError as error:
        raise InputError(f"scorer 'attributes': {error}") from error


attributes = Scorer("attributes", _attributes, perfect=3)
"""How many of an entity's attributes the answer has right (the toy world `specialists`)."""
