"""The objective that follows from what data holds: Direct, or Sampling over what it lacks."""

from ..facts import Facts
from ..observation import Observed
from ..planning import implied
from ..program import Objective, Program


def run(facts: Facts, program: Program) -> Program:
    """The method, the observed variables, and the latent ones."""
    plan = implied(program, Observed(facts.graph, facts.observation).names)
    objective = Objective(
        method="sampling" if plan.latent else "direct",
        observed=plan.observed,
        latent=plan.latent,
        draws=plan.draws,
    )
    return program.model_copy(update={"objective": objective})
