"""The plan, written down for whoever reads the program without this package."""

from collections.abc import Set

from ..facts import Facts
from ..program import Program, Term


def run(facts: Facts, program: Program) -> Program:
    """The program with `objective`, `calls`, and what the plan says of every term."""
    del facts
    plan = program.plan
    inside = {*plan.inside}
    objective = {
        "method": "sampling" if plan.latent else "direct",
        "observed": plan.observed,
        "latent": plan.latent,
        "draws": plan.draws,
    }
    update = {
        "objective": program.objective.model_copy(update=objective),
        "calls": plan.calls,
        "terms": tuple(_marked(program, term, inside) for term in program.terms),
    }
    return program.with_its_plan(update)


def _marked(program: Program, term: Term, inside: Set[str]) -> Term:
    plan, name = program.plan, term.variable
    if term.model is None:
        return term
    return term.model_copy(
        update={
            "summed": name in inside,
            "cancels": name not in plan.policy,
            "same_prompt": program.has_same_prompt(name),
            "policy": plan.policy.get(name, "never"),
            "reference": plan.reference.get(name, "never"),
        }
    )
