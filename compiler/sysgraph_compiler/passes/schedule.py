"""When each term is computed: a reference once for a set of pairs, a policy at every step."""

from ..facts import Facts
from ..observation import Observed
from ..planning import implied
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """Every term with `policy`, `reference` and `same_prompt`."""
    plan = implied(program, Observed(facts.graph, facts.observation).names)
    given = _given(program)

    def mark(term: Term) -> Term:
        name = term.variable
        update = {
            "same_prompt": term.model is not None
            and given.issuperset(program.variable(name).parents),
            "policy": plan.policy.get(name, "never"),
            "reference": plan.reference.get(name, "never"),
        }
        return term.model_copy(update=update)

    return program.model_copy(update={"terms": tuple(map(mark, program.terms))})


def _given(program: Program) -> set[str]:
    """Inputs, and what follows from them."""
    given: set[str] = set()
    for variable in program.variables:
        follows = variable.name in program.deterministic and given.issuperset(variable.parents)
        if variable.is_given or follows:
            given.add(variable.name)
    return given
