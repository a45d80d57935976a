"""The terms of which a bound is trained, by what the bound is."""

from collections import defaultdict

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import DiffusionObjective

from ..program import Program


def bounds(program: Program) -> dict[DiffusionObjective, list[str]]:
    """The variables whose log-ratio is a bound, by its settings, in the program's order."""
    found: dict[DiffusionObjective, list[str]] = defaultdict(list)
    for term in program.terms:
        model = program.models[term.model] if term.model is not None else None
        if term.bound and term.status == "trained" and isinstance(model, Diffusion):
            found[model.objective].append(term.variable)
    return found
