"""What an observed selection says of its branches: the first that came to be has its value.

A trajectory leaves that branch out: on each side of a pair it has the side's value of the selection
and its term scores that, whichever branch it is. So one trajectory stands for both sides.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from sysgraph_compiler import Program, Variable
from sysgraph_compiler.planning import Chain, Selections

from ..traces.course import Course
from ..traces.trace import Completion, Trace, Value, plain


@dataclass(frozen=True)
class Answers:
    """One side's values of the observed selections.

    Args:
        values: by selection.
        written: the texts of branches that data has too, with their tokens.
    """

    values: Mapping[str, Value]
    written: Mapping[str, Completion]

    def of(self, selection: str, branch: str) -> Value | None:
        """What a branch that the selection takes has."""
        value, written = self.values.get(selection), self.written.get(branch)
        if not isinstance(value, str):
            return value
        return written if written is not None and written.text == value else Completion(value)


def answer(
    selections: Selections,
    branch: Variable,
    trace: Trace | Course,
    answers: Answers,
    doubt: Set[str],
) -> tuple[Value, bool] | None:
    """The value of a branch that came to be, and whether it is sure to be the one taken.

    None: it is not taken, or cannot have the value.

    Args:
        doubt: variables of which it is not known whether they come to be.
    """
    found = None
    for chain in selections.chains.get(branch.name, ()):
        value = answers.of(chain[0].name, branch.name)
        before = [name for name in _before(branch, chain) if name not in trace.nonexistent]
        if value is None or not doubt >= {*before}:
            continue
        if plain(value) not in selections.outcomes.get(branch.name, (plain(value),)):
            continue
        if not before:
            return value, True
        found = found or (value, False)
    return found


def taken(selections: Selections, trace: Trace) -> frozenset[str]:
    """The branches that the selections take, and those that inner selections do."""
    readers = {v.name: v for several in selections.readers.values() for v in several}
    reached = [readers[name] for name in selections.names if name in readers]
    found: set[str] = set()
    for reader in reached:
        if reader.name not in trace.nonexistent:
            first = next(n for n in reader.reads if n not in trace.nonexistent)
            reached += (
                [readers[first]] if first in readers.keys() - found - {*selections.names} else []
            )
            found.add(first)
    return frozenset(found)


def _before(branch: Variable, chain: Chain) -> Iterator[str]:
    """The branches that selections would rather take."""
    name = branch.name
    for selection in reversed(chain):
        yield from selection.reads[: selection.reads.index(name)]
        name = selection.name


def fill(
    program: Program,
    trace: Trace,
    selections: Selections,
    answers: Answers,
    lacking: Set[str],
    *,
    sure: bool = False,
) -> Trace:
    """`trace` completed, branches that it has no value for given those of the selections.

    Args:
        lacking: the branches.
        sure: only those that are taken whatever the values are that `trace` lacks.
    """
    course = Course(program, trace.inputs, dict(trace.values), failures=dict(trace.failures))
    doubt: set[str] = set()
    waiting = {variable.name for variable in program.variables if not variable.is_given}
    for variable in program.variables:
        if variable.is_given:
            continue
        waiting.discard(variable.name)
        if not course.settle(variable):
            continue
        if is_doubtful(program, variable, course, doubt):
            doubt.add(variable.name)
        if variable.name not in lacking or variable.name in course.values:
            continue
        found = answer(selections, variable, course, answers, doubt | waiting)
        if found is not None and (not sure or (found[1] and variable.name not in doubt)):
            course.values[variable.name] = found[0]
    return course.trace(trace)


def doubtful(program: Program, trace: Trace) -> frozenset[str]:
    """The variables of a completed trace whose coming to be hangs on values that it lacks."""
    found: set[str] = set()
    for variable in program.variables:
        is_there = not variable.is_given and variable.name not in trace.nonexistent
        if is_there and is_doubtful(program, variable, trace, found):
            found.add(variable.name)
    return frozenset(found)


def is_doubtful(
    program: Program, variable: Variable, known: Trace | Course, doubt: Set[str]
) -> bool:
    """Whether it is open if a variable comes to be, so far as `known` tells.

    Args:
        doubt: the earlier variables of which it is open.
    """
    if variable.name in known.values:
        return False
    if any(gate.choice not in known.values for gate in variable.gates):
        return True
    if any(element.list not in known.values for element in variable.elements.values()):
        return True
    if variable.selects:
        return doubt >= {name for name in variable.reads if name not in known.nonexistent}
    # A parser or a tool may reject what is not known yet.
    computed = variable.name in program.deterministic
    return computed or not doubt.isdisjoint(variable.parents)
