"""Which terms stand inside Sampling's sum, and which the objective can leave out.

Outside the sum a frozen term's log p/p_ref is 0. Inside, a frozen term is a weight and stays,
unless no term of the sum trains: then log p and log p_ref have one and the same sum.
"""

from ..facts import Facts
from ..observation import Observed
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """Every term with `summed` and `cancels`."""
    inside = _inside(program, Observed(facts.graph, facts.observation))
    observed = frozenset(program.objective.observed)
    latent = frozenset(program.objective.latent)
    kept = observed | latent
    trains = any(t.status == "trained" for t in program.terms if t.variable in inside & kept)

    def mark(term: Term) -> Term:
        if term.model is None:
            return term
        if term.variable not in kept:  # nothing observed depends on it: its factor sums to 1
            return term.model_copy(update={"cancels": True})
        summed = term.variable in inside
        cancels = not trains if summed else term.status == "frozen"
        return term.model_copy(update={"summed": summed, "cancels": cancels})

    return program.model_copy(update={"terms": tuple(map(mark, program.terms))})


def _inside(program: Program, given: Observed) -> frozenset[str]:
    """Variables whose term an unobserved value enters: its own, one its prompt sees, or a gate's.

    Where it decides which branch an observed selection takes, it enters the terms of all of them.
    """
    observed, unknown = {*program.objective.observed}, {*program.objective.latent}
    inside: set[str] = set()
    for variable in program.variables:
        if variable.name in unknown or not unknown.isdisjoint(variable.parents):
            inside.add(variable.name)
            is_held = variable.selects and variable.name in observed
            if variable.name in program.deterministic and not is_held:
                unknown.add(variable.name)
    branches: set[str] = set()
    for variable in reversed(program.variables):
        is_held = variable.name in observed or variable.name in branches
        if variable.selects and is_held and not inside.isdisjoint(variable.reads):
            branches.update(variable.reads)
    taken = map(program.variable, branches)
    return frozenset(inside | {v.name for v in taken if not given.holds(v.node, v.name)})
