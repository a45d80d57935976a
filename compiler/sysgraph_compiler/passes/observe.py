"""The objective that follows from what data holds: Direct, or Sampling over what it lacks."""

from ..facts import Facts
from ..observation import Observed
from ..program import Objective, Program


def run(facts: Facts, program: Program) -> Program:
    """The method, the observed variables, and the latent ones."""
    observed = _observed(program, Observed(facts.graph, facts.observation))
    needed = _needed(program, observed)
    latent = tuple(
        variable.name
        for variable in program.variables
        if variable.kind == "lm" and variable.name not in observed and variable.name in needed
    )
    generated = (variable.name for variable in program.variables if variable.kind != "input")
    objective = Objective(
        method="sampling" if latent else "direct",
        observed=tuple(name for name in generated if name in observed),
        latent=latent,
    )
    return program.model_copy(update={"objective": objective})


def _observed(program: Program, given: Observed) -> set[str]:
    """What data holds or a parser reads from it, and the inputs."""
    observed: set[str] = set()
    for variable in program.variables:
        if variable.kind == "parse":
            held = observed.issuperset(variable.parents)
        else:
            held = variable.kind == "input" or given.holds(variable.node, variable.name)
        if held:
            observed.add(variable.name)
    return observed


def _needed(program: Program, observed: set[str]) -> set[str]:
    """What something observed depends on; the probabilities of anything else sum to 1."""
    needed: set[str] = set()
    for variable in reversed(program.variables):
        if variable.name in observed or variable.name in needed:
            needed.update(variable.parents)
    return needed
