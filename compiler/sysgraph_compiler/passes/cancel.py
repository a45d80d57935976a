"""Which terms stand inside Sampling's sum, and which the objective can leave out.

Outside the sum a frozen term's log p/p_ref is 0. Inside, a frozen term is a weight and stays,
unless no term of the sum trains: then log p and log p_ref have one and the same sum.
"""

from ..facts import Facts
from ..observation import Observed
from ..planning import implied
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """Every term with `summed` and `cancels`."""
    plan = implied(program, Observed(facts.graph, facts.observation).names)

    def mark(term: Term) -> Term:
        if term.model is None:
            return term
        update = {
            "summed": term.variable in plan.inside,
            "cancels": term.variable not in plan.policy,
        }
        return term.model_copy(update=update)

    return program.model_copy(update={"terms": tuple(map(mark, program.terms))})
