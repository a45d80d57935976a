"""The terms of a pair with gaps: outside the sum, and inside it under a trajectory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sysgraph_compiler import Program
from sysgraph_compiler.planning import ancestors

from ..engines import Request
from ..engines.requests import requests
from ..traces.trace import Completion, Trace
from .branches import fill, taken
from .gaps import Gaps


@dataclass(frozen=True)
class Summand:
    """One trajectory's terms inside the sum, on one side.

    Args:
        terms: requests by variable; where it is not `possible`, of the latent variables alone (of
            the branch that a selection takes too: its value is part of what the trajectory covers).
        possible: whether it can give the side's observed values.
    """

    terms: Mapping[str, Request]
    possible: bool


def outside(gaps: Gaps, side: int) -> Trace:
    """One side as its terms outside the sum have it: those inside are taken for nonexistent."""
    given, plan = gaps.sides[side].given, gaps.plan
    return replace(given, nonexistent=given.nonexistent | plan.summed | plan.ignored)


def inside(
    program: Program, gaps: Gaps, side: int, values: Mapping[str, Completion]
) -> Summand | None:
    """The terms inside the sum under `values` of the latent variables.

    None where they are no trajectory of this side: other latent variables exist here.
    """
    plan, known = gaps.plan, gaps.sides[side]
    trace = _whole(program, gaps, side, values)
    reached = taken(plan.selections, trace) & plan.branches
    exist = {v for v in plan.latent if v not in trace.nonexistent}
    if exist - reached != values.keys():
        return None
    possible = (
        known.plan.present <= trace.values.keys()
        and known.plan.absent <= trace.nonexistent
        and all(trace.values.get(name) == value for name, value in known.read.items())
    )
    names = {v.name for v in program.variables}
    needed = ancestors(program, exist)
    lacking = names - trace.nonexistent - trace.values.keys() - trace.inputs.keys()
    untaken = plan.branches - {*plan.latent}
    asked = {*plan.selections.names, *program.likely}
    if not possible and lacking & needed & asked - untaken:
        return None
    # Of a branch that was not taken, nobody reads the value; its factor sums to 1.
    unread = {v for v in plan.branches if v not in values and v not in reached}
    # Only what no wanted prompt sees is left out, so that prompts are as they would be.
    left_out = plan.ignored | unread if possible else (names - needed) | (lacking & plan.branches)
    found = requests(program, replace(trace, nonexistent=trace.nonexistent | left_out))
    wanted = plan.summed if possible else exist
    return Summand({name: request for name, request in found if name in wanted}, possible)


def _whole(program: Program, gaps: Gaps, side: int, values: Mapping[str, Completion]) -> Trace:
    """A side with a trajectory: selections are computed from the branches that have their value."""
    plan, known = gaps.plan, gaps.sides[side]
    given = {n: v for n, v in known.given.values.items() if n not in plan.selections.names}
    start = replace(known.given, values={**given, **values})
    return fill(program, start, plan.selections, known.answers, plan.branches)
