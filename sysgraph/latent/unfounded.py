"""Observed values that no sum over the unobserved ones can stand under."""

from collections.abc import Iterator

from sysgraph_compiler import Program

from ..traces.trace import plain
from .gaps import Gaps


def unfounded(program: Program, gaps: Gaps, side: int) -> Iterator[str]:
    """What of one side's observed values does not say enough, or contradicts the rest.

    A value that is computed within the system does not say which of many texts it was, and hardly
    any that is drawn would give it. One of a choice's few options many do. An output is taken as it
    is: preferences are about it.
    """
    known = gaps.sides[side]
    for name in sorted(known.read.keys() & gaps.plan.summed - {*program.outputs}):
        variable = program.variable(name)
        texts = _texts(program, name) & {*gaps.plan.latent}
        if texts and not variable.selects and not variable.options:
            shown = ", ".join(v.name for v in program.variables if v.name in texts)
            yield f"{name} follows from {shown}, which is missing; expected that too, or no {name}"
    for selection in gaps.plan.selections.names:
        value, reads = known.read.get(selection), program.variable(selection).reads
        for index, branch in enumerate(reads):
            has = known.given.values.get(branch) or known.answers.written.get(branch)
            is_first = all(_excludes(program, branch, other) for other in reads[:index])
            if value is not None and has is not None and is_first and plain(has) != plain(value):
                yield (
                    f"{selection} has {plain(value)!r}, but {branch} ran and has {plain(has)!r}; "
                    "expected that, or nothing (it is computed)"
                )


def _texts(program: Program, name: str) -> set[str]:
    """What models wrote that a computed variable follows from."""
    found = {name}
    for variable in reversed(program.variables):
        if variable.name in found and variable.name in program.deterministic:
            found.update(variable.reads)
    return found


def _excludes(program: Program, branch: str, other: str) -> bool:
    """Whether one choice lets only one of the two run."""
    gates = {g.choice: g.options for g in program.variable(other).gates}
    return any(
        {*gate.options}.isdisjoint(gates.get(gate.choice, gate.options))
        for gate in program.variable(branch).gates
    )
