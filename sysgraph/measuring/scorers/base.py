"""What a scorer is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...support.errors import DataError, InputError, RunError
from ...traces.trace import Trace, place_of


@dataclass(frozen=True)
class Success:
    """A yes or no about final outputs, beside their score; its share is reported.

    `holds` is asked of traces that did not fail; some outputs of one that abstains are missing.
    """

    name: str
    holds: Callable[[Trace], bool]

    def of(self, trace: Trace) -> float:
        """1 for yes, 0 for no or a trace that failed.

        Raises:
            RunError: `holds` raised.
        """
        try:
            return 0.0 if trace.failed else float(bool(self.holds(trace)))
        except (InputError, RunError):
            raise
        except Exception as error:  # it may raise anything
            raise RunError(
                f"{self.name!r} raised {type(error).__name__} for the output "
                f"{trace.output()!r:.60} of the inputs {dict(trace.inputs)!r:.200}: {error}"
            ) from error


@dataclass(frozen=True)
class Unscored:
    """No score for a trace, which is no fault of its own: a judge would not say; `why`."""

    why: str


@dataclass(frozen=True)
class Scorer:
    """Says how good final outputs are.

    `score` takes traces that did not fail and returns a number each, more is better. Where a parser
    or a tool abstained (`on_failure: abstain`), `trace.abstains` holds and outputs are missing: the
    trace has the score `abstained`, or without that `score` is asked with what there is. A judge
    that would not say gives `Unscored` in place of a number. `perfect`
    is the highest score there is, if there is one: then the share of perfect answers is reported.
    `success` is what else is reported as a share. `problem` says why outputs for an input row with
    these fields cannot be scored (None: they can); without it, any can.
    """

    name: str
    score: Callable[[Sequence[Trace]], Sequence[float | Unscored]]
    perfect: float | None = None
    success: Success | None = None
    problem: Callable[[Mapping[str, Any]], str | None] | None = None
    abstained: float | None = None

    def require(self, rows: Sequence[Mapping[str, Any]], source: str) -> None:
        """Refuses input rows whose outputs it cannot score, before anything is sampled for them.

        Args:
            rows: as `load_inputs` gives them.
            source: where they are from, for messages.

        Raises:
            DataError: there are such rows, all of them.
        """
        if self.problem is None:
            return
        found = [(place_of(row, source, i), self.problem(row)) for i, row in enumerate(rows, 1)]
        problems = [f"{place}: {why}" for place, why in found if why is not None]
        if problems:
            raise DataError(problems)

    def __call__(self, traces: Sequence[Trace]) -> list[float]:
        """The score of each trace; minus infinity for one that failed.

        Raises:
            RunError: the scorer raised, or did not return a finite number for each trace that it
                was given.
        """
        found = []
        for trace, score in zip(traces, self.attempt(traces), strict=True):
            if isinstance(score, Unscored):
                raise RunError(f"{score.why}, {trace.output()!r:.60} ({_where(trace)})")
            found.append(score)
        return found

    def attempt(self, traces: Sequence[Trace]) -> list[float | Unscored]:
        """The scores, as a call gives them, and why there is none.

        Raises:
            RunError: as a call.
        """
        known = [self._known(trace) for trace in traces]
        asked = [trace for trace, score in zip(traces, known, strict=True) if score is None]
        found = iter(self._scores(asked))
        return [next(found) if score is None else score for score in known]

    def _known(self, trace: Trace) -> float | None:
        """The score of a trace that `score` is not asked of; None: it is."""
        if trace.failed:
            return -math.inf
        return self.abstained if trace.abstains else None

    def _scores(self, traces: Sequence[Trace]) -> list[float | Unscored]:
        if not traces:
            return []
        try:
            scores = list(self.score(traces))
        except (InputError, RunError):
            raise
        except Exception as error:  # a scorer may raise anything
            raise RunError(self._raised(traces, error)) from error
        if len(scores) != len(traces):
            raise RunError(
                f"scorer {self.name!r} returned {len(scores)} scores for {len(traces)} traces"
            )
        for trace, score in zip(traces, scores, strict=True):
            if not isinstance(score, Unscored) and not _is_finite(score):
                raise RunError(
                    f"scorer {self.name!r} returned {score!r:.60} for the output "
                    f"{trace.output()!r:.60}; expected a finite number ({_where(trace)})"
                )
        return [one if isinstance(one, Unscored) else float(one) for one in scores]

    def _raised(self, traces: Sequence[Trace], error: Exception) -> str:
        """What it raised, and on which trace, if it does so on one alone."""
        said = f"scorer {self.name!r} raised {type(error).__name__}: {error}"
        for trace in traces:
            try:
                list(self.score([trace]))
            except Exception:
                return f"{said}, for the output {trace.output()!r:.60} ({_where(trace)})"
        return f"{said}, for {len(traces)} traces, the first of {_where(traces[0])}"


def _where(trace: Trace) -> str:
    inputs = ", ".join(f"{name}={text!r:.60}" for name, text in trace.inputs.items())
    return f"{trace.place}: {inputs}" if trace.place else f"the inputs {inputs}"


def _is_finite(score: object) -> bool:
    try:
        return math.isfinite(score)  # type: ignore[arg-type]  # a scorer may return anything
    except (TypeError, OverflowError):
        return False
