"""What one preference leaves to sum over: the compiler's plan, with the values of a pair."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from sysgraph_compiler import Program
from sysgraph_compiler.planning import Given, Lack, Pattern, Plan, Seen, SidePlan, lack, plan

from ..traces.course import complete
from ..traces.trace import Completion, Trace, Value
from .branches import Answers, fill


@dataclass(frozen=True)
class Side:
    """One side of a pair: what is known of it, whatever its latent values are.

    Args:
        plan: what has to come to be, and what must not.
        given: the observed values that follow from no latent one.
        read: values of deterministic variables that data holds and latent ones decide.
        answers: of that, the observed selections' values.
    """

    plan: SidePlan
    given: Trace
    read: Mapping[str, Value]
    answers: Answers


@dataclass(frozen=True)
class Gaps:
    """A pair that lacks values: what that needs, and what is known of chosen and rejected."""

    plan: Plan
    sides: tuple[Side, Side]

    @property
    def starts(self) -> tuple[int, ...]:
        """The sides to draw under: both, if observed values before a latent one differ.

        A value that only one side has is such a difference: where it is missing, other latent
        variables come to be. So is a selection that came to nothing.
        """
        seen = [
            {
                name: side.read.get(name) if name in held else side.given.values.get(name)
                for name in self.plan.decisive
                if name not in side.given.inputs
            }
            for held in [{*self.plan.selections.names}]
            for side in self.sides
        ]
        return (0, 1) if seen[0] != seen[1] else (0,)


def find_gaps(program: Program, chosen: Trace, rejected: Trace) -> Gaps | None:
    """What a pair of completed traces lacks, None where nothing."""
    traces = (chosen, rejected)
    pattern = pattern_of(program, chosen, rejected)
    lacks = lack(program, pattern)
    if not lacks.missing:
        return None
    settled, traces = _settled(program, traces, lacks)
    left = lack(program, pattern, settled)
    one, other = (_without(program, trace, left) for trace in traces)
    found = plan(program, pattern, Given(settled, (_seen(one), _seen(other))))
    sides = zip(found.sides, traces, (one, other), strict=True)
    chosen_side, rejected_side = (_side(p, trace, given, left) for p, trace, given in sides)
    return Gaps(found, (chosen_side, rejected_side))


def whole(program: Program, chosen: Trace, rejected: Trace) -> Plan:
    """The plan of a pair of completed traces that lacks nothing."""
    pattern = pattern_of(program, chosen, rejected)
    return plan(program, pattern, Given(frozenset(), pattern.sides))


def pattern_of(program: Program, chosen: Trace, rejected: Trace) -> Pattern:
    """Which values of a pair of completed traces are there to be used."""
    observed = program.fit.observed
    named = None if observed is None else frozenset(observed)
    return Pattern((_seen(chosen), _seen(rejected)), named)


def _seen(trace: Trace) -> Seen:
    return Seen(frozenset(trace.values), trace.nonexistent)


def _settled(
    program: Program, traces: tuple[Trace, Trace], lacks: Lack
) -> tuple[frozenset[str], tuple[Trace, Trace]]:
    """What is sure to have the value of a selection, or not to be, and the sides with that."""
    found = []
    for trace in traces:
        known, answers = _without(program, trace, lacks), _answers(trace, lacks)
        found.append(fill(program, known, lacks.selections, answers, lacks.missing, sure=True))
    one, other = ((t.values.keys() | t.nonexistent) & lacks.missing for t in found)
    settled = frozenset(one & other)
    chosen, rejected = (
        replace(t, values={**t.values, **{n: v for n, v in f.values.items() if n in settled}})
        for t, f in zip(traces, found, strict=True)
    )
    return settled, (chosen, rejected)


def _answers(trace: Trace, lacks: Lack) -> Answers:
    values, missing = trace.values, lacks.missing
    written = {n: v for n, v in values.items() if n in missing and isinstance(v, Completion)}
    return Answers({n: values[n] for n in lacks.selections.names if n in values}, written)


def _without(program: Program, trace: Trace, lacks: Lack) -> Trace:
    """The trace with what follows from no missing value."""
    unknown: Set[str] = lacks.missing | (lacks.hangs & program.deterministic)
    values = {name: value for name, value in trace.values.items() if name not in unknown}
    failures = {name: why for name, why in trace.failures.items() if name not in unknown}
    return complete(
        program,
        Trace(trace.inputs, values, trace.outputs, extra=trace.extra, failures=failures),
    )


def _side(found: SidePlan, trace: Trace, given: Trace, lacks: Lack) -> Side:
    return Side(
        plan=found,
        given=replace(given, nonexistent=found.never),
        read={name: trace.values[name] for name in found.read},
        answers=_answers(trace, lacks),
    )
