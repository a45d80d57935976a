"""The plan, written down for whoever reads the program without this package."""

from ..facts import Facts
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """The program with `objective`, `calls`, and what the plan says of every term."""
    del facts
    plan = program.plan
    objective = {
        "method": "sampling" if plan.latent else "direct",
        "observed": plan.observed,
        "latent": plan.latent,
        "draws": plan.draws,
    }
    update = {
        "objective": program.objective.model_copy(update=objective),
        "calls": plan.calls,
        "terms": tuple(_marked(program, term) for term in program.terms),
    }
    return program.model_copy(update=update)


def _marked(program: Program, term: Term) -> Term:
    plan, name = program.plan, term.variable
    if term.model is None:
        return term
    return term.model_copy(
        update={
            "summed": name in plan.inside,
            "cancels": name not in plan.policy,
            "same_prompt": program.has_same_prompt(name),
            "policy": plan.policy.get(name, "never"),
            "reference": plan.reference.get(name, "never"),
        }
    )
