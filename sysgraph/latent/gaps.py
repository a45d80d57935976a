"""What one preference leaves to sum over (arXiv 2502.17721, section 2.3).

Of a pair, the values missing on either side, or not among `fit.observed`, are latent on both. A
latent value on which nothing observed depends is none: its factor sums to 1. Nor is the branch that
an observed selection took: it has the selection's value.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from sysgraph_compiler import Program
from sysgraph_compiler.unknowns import unknowns

from ..traces.course import complete
from ..traces.trace import Completion, Trace, Value
from .branches import Answers, Selections, fill


@dataclass(frozen=True)
class Side:
    """One side of a pair: what is known of it, whatever its latent values are.

    Args:
        given: the observed values that follow from no latent one.
        present: variables that are observed and depend on latent ones: each has to exist.
        read: values of deterministic variables that data holds and latent ones decide.
        absent: variables that did not exist, though a latent value may let them.
        answers: of that, the observed selections' values.
    """

    given: Trace
    present: frozenset[str]
    read: Mapping[str, Value]
    absent: frozenset[str]
    answers: Answers


@dataclass(frozen=True)
class Gaps:
    """What a pair lacks.

    Args:
        latent: the variables to draw, in topological order.
        branches: variables that have the value of an observed selection where it takes them. Those
            of them that are not latent too have no term elsewhere: nothing else reads them.
        selections: the observed selections.
        summed: what a latent value enters: latent variables, branches, those whose prompt sees one,
            and what is computed from one. Their terms stand inside the sum.
        ignored: variables that nothing observed depends on; they have no term.
        sides: chosen and rejected.
    """

    latent: tuple[str, ...]
    branches: frozenset[str]
    selections: Selections
    summed: frozenset[str]
    ignored: frozenset[str]
    sides: tuple[Side, Side]


def find_gaps(program: Program, chosen: Trace, rejected: Trace) -> Gaps | None:
    """What a pair of completed traces lacks, None where nothing."""
    traces = (chosen, rejected)
    missing = _missing(program, chosen) | _missing(program, rejected)
    if not missing:
        return None
    held = _held(program, traces)
    selections = Selections.of(program, held)
    traces, missing = _settled(program, traces, missing, selections)
    fixed = {name for name in held if _valued(name, traces)}
    summed = _entered(program, missing, fixed)
    sides = [_side(program, trace, missing, summed, held) for trace in traces]
    known = {v for s in sides for v in (*s.given.values, *s.present, *s.read, *s.absent)} - missing
    found = unknowns(program, known, known & held)
    latent = tuple(v for v in program.likely if v in missing & found.needed)
    branches = missing & found.branches
    return Gaps(
        latent,
        frozenset(branches),
        selections,
        _entered(program, {*latent, *branches}, fixed),
        frozenset(missing - found.needed - branches),
        (sides[0], sides[1]),
    )


def starts(program: Program, gaps: Gaps) -> tuple[int, ...]:
    """The sides to draw under: both, if observed values before a latent one differ.

    A value that only one side has is such a difference: where it is missing, other latent variables
    come to be. So is a selection that came to nothing.
    """
    held, chains = gaps.selections.names, gaps.selections.chains
    before = ancestors(program, {p for v in gaps.latent for p in program.variable(v).parents})
    # Whether a branch is drawn hangs on all that decides if a selection takes it.
    needed = gaps.branches & {*before, *gaps.latent}
    before |= ancestors(program, {v.name for name in needed for c in chains[name] for v in c})
    seen = [
        {
            name: side.read.get(name) if name in held else side.given.values.get(name)
            for name in before
            if name not in side.given.inputs
        }
        for side in gaps.sides
    ]
    return (0, 1) if seen[0] != seen[1] else (0,)


def ancestors(program: Program, names: Set[str]) -> set[str]:
    """Everything that one of `names` depends on, and `names`."""
    found = set(names)
    for variable in reversed(program.variables):
        if variable.name in found:
            found.update(variable.parents)
    return found


def _missing(program: Program, trace: Trace) -> set[str]:
    """Variables with a likelihood that exist, or may, and whose value training does not have."""
    observed = program.fit.observed
    return {
        name
        for name in program.likely
        if (name not in trace.values and name not in trace.nonexistent)
        or (observed is not None and not {name, program.variable(name).node} & set(observed))
    }


def _held(program: Program, traces: Sequence[Trace]) -> frozenset[str]:
    """The selections whose value data holds on both sides, or which came to nothing on one.

    If that is on either side for different ones, none could be drawn under: only the others.
    """
    whole: set[str] = set()
    single: dict[int, set[str]] = {0: set(), 1: set()}
    for variable in program.variables:
        there = [side for side in (0, 1) if variable.name in traces[side].values]
        if not variable.selects or not any(
            _held_itself(program, traces[side], variable.name) for side in there
        ):
            continue
        if len(there) == 2:
            whole.add(variable.name)
        elif variable.name in traces[1 - there[0]].nonexistent:
            single[there[0]].add(variable.name)
    return frozenset(whole | (set() if single[0] and single[1] else single[0] | single[1]))


def _settled(
    program: Program, traces: Sequence[Trace], missing: set[str], selections: Selections
) -> tuple[tuple[Trace, Trace], set[str]]:
    """The sides with the branches that are sure to have been taken, and what is missing then."""
    hangs = _entered(program, missing, {n for n in selections.names if _valued(n, traces)})
    found = []
    for trace in traces:
        known = _without(program, trace, missing, hangs)
        answers = _answers(trace, missing, selections.names)
        found.append(fill(program, known, selections, answers, missing, sure=True))
    one, other = ((t.values.keys() | t.nonexistent) & missing for t in found)
    settled = one & other
    chosen, rejected = (
        replace(t, values={**t.values, **{n: v for n, v in f.values.items() if n in settled}})
        for t, f in zip(traces, found, strict=True)
    )
    return (chosen, rejected), missing - settled


def _valued(name: str, traces: Sequence[Trace]) -> bool:
    """Whether both sides have its value."""
    return all(name in trace.values for trace in traces)


def _answers(trace: Trace, missing: Set[str], held: Iterable[str]) -> Answers:
    written = {n: v for n, v in trace.values.items() if n in missing and isinstance(v, Completion)}
    return Answers({name: trace.values[name] for name in held if name in trace.values}, written)


def _without(program: Program, trace: Trace, missing: Set[str], summed: Set[str]) -> Trace:
    """The trace with what follows from no missing value."""
    hangs = summed & program.deterministic
    values = {n: v for n, v in trace.values.items() if n not in missing and n not in hangs}
    return complete(program, Trace(trace.inputs, values, trace.outputs, extra=trace.extra))


def _entered(program: Program, latent: Set[str], fixed: Set[str]) -> frozenset[str]:
    """Variables whose value or term a latent value enters.

    Args:
        fixed: selections that have a value whatever the latent ones are.
    """
    unknown, entered = set(latent), set(latent)
    deterministic = program.deterministic
    for variable in program.variables:
        if variable.name not in fixed and not unknown.isdisjoint(variable.parents):
            entered.add(variable.name)
            if variable.name in deterministic:
                unknown.add(variable.name)
    return frozenset(entered)


def _side(
    program: Program, trace: Trace, missing: set[str], summed: frozenset[str], held: Set[str]
) -> Side:
    deterministic = program.deterministic
    given = _without(program, trace, missing, summed)
    read = {
        name: trace.values[name]
        for name in (summed & deterministic) | held
        if name in trace.values and (name in held or _held_itself(program, trace, name))
    }
    observed = (summed & {*program.likely}) - missing
    named = {name for name in summed & deterministic if _is_named(program, name)}
    gone = trace.nonexistent - missing - summed
    return Side(
        given=replace(given, nonexistent=given.nonexistent | gone),
        present=frozenset(observed & trace.values.keys()),
        read=read,
        absent=frozenset(
            (observed | named | held | set(trace.outputs))
            & trace.nonexistent - given.nonexistent - missing
        ),
        answers=_answers(trace, missing, held),
    )


def _held_itself(program: Program, trace: Trace, name: str) -> bool:
    """Whether data holds a computed value: named, an output, or not computed from what it holds.

    What was only read from a latent text that data happens to hold is no more observed than that.
    """
    if _is_named(program, name):
        return True
    held = trace.values.keys() | trace.inputs.keys() | trace.nonexistent
    return not held >= set(program.variable(name).parents)


def _is_named(program: Program, name: str) -> bool:
    """Whether `fit.observed` or the outputs name a variable."""
    node = program.variable(name).node
    return not {name, node}.isdisjoint([*(program.fit.observed or ()), *program.outputs])
