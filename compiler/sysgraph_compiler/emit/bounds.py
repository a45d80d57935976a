"""The terms of which a bound is trained, by what the bound is."""

from collections import defaultdict

from sysgraph_schemas.models.base import Bound

from ..program import Program


def bounds(program: Program) -> dict[Bound, list[str]]:
    """The variables whose log-ratio is a bound, by its settings, in the program's order."""
    found: dict[Bound, list[str]] = defaultdict(list)
    for term in program.terms:
        bound = program.models[term.model].bound if term.model is not None else None
        if bound is not None and term.status == "trained":
            found[bound].append(term.variable)
    return found
