"""When each term is computed: a reference once for a set of pairs, a policy at every step.

A reference that needs the policy's noise is computed with it, unless the noise is of a fixed bank.
"""

from ..facts import Facts
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """Every term with `policy`, `reference` and `same_prompt`."""
    del facts
    given = _given(program)

    def mark(term: Term) -> Term:
        same = term.model is not None and given.issuperset(program.variable(term.variable).parents)
        update: dict[str, object] = {"same_prompt": same}
        if term.model is not None and not term.cancels:
            trained = term.status == "trained"
            update["policy"] = "every step" if trained else "once"
            before = "every step" if program.models[term.model].is_noisy else "once"
            update["reference"] = before if trained else "never"  # a frozen model is its reference
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
