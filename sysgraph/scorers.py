"""Scorers of final outputs, picked by registered name (entry-point group `sysgraph.scorers`)."""

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

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
            InputError: the scorer returned another number of scores than it was given traces.
        """
        good = [trace for trace in traces if not trace.failed]
        scores = list(self.score(good)) if good else []
        if len(scores) != len(good):
            raise InputError(
                f"scorer {self.name!r} returned {len(scores)} scores for {len(good)} traces"
            )
        if any(math.isnan(score) for score in scores):
            raise InputError(f"scorer {self.name!r} returned NaN")
        found = iter(scores)
        return [-math.inf if trace.failed else float(next(found)) for trace in traces]


def find_scorer(name: str) -> Scorer:
    """The scorer registered under `name`.

    Raises:
        InputError: there is none.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in registered:
        close = difflib.get_close_matches(name, registered, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(registered)}"
        raise InputError(
            f"no scorer is registered as {name!r}; {hint} (packages register them in the "
            f"entry-point group {GROUP!r})"
        )
    scorer = registered[name].load()
    if not isinstance(scorer, Scorer):
        raise InputError(f"entry point {name!r} of {GROUP!r} is no sysgraph Scorer")
    return scorer


def _attributes(traces: Sequence[Trace]) -> list[float]:
    return [specialists.attributes(t.inputs["question"], t.output()) for t in traces]


attributes = Scorer("attributes", _attributes, perfect=3)
"""How many of an entity's attributes the answer has right (the toy world `specialists`)."""
