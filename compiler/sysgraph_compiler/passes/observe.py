"""What the user says that data holds, as names of nodes and variables."""

from ..facts import Facts
from ..observation import Observed
from ..program import Objective, Program


def run(facts: Facts, program: Program) -> Program:
    """The program with `objective.named`, from which its plan follows."""
    names = Observed(facts.graph, facts.observation).names
    named = None if names is None else tuple(sorted(names))
    return program.model_copy(update={"objective": Objective(named=named)})
