"""Edges between nodes become parents of variables, and prompts learn what their names stand for."""

from ..facts import Facts
from ..program import Program, Variable

Seen = str | tuple[str, ...]


def run(facts: Facts, program: Program) -> Program:
    """Every variable with its parents and scope."""
    linked = tuple(_link(facts, program, variable) for variable in program.variables)
    return program.model_copy(update={"variables": linked})


def _link(facts: Facts, program: Program, variable: Variable) -> Variable:
    parents = facts.parents[variable.node]
    if not parents:
        return variable
    seen = {parent: _seen(facts, program, variable, parent) for parent in parents}
    flat = tuple(
        name for part in seen.values() for name in ((part,) if isinstance(part, str) else part)
    )
    scope = seen if facts.graph.nodes[variable.node].templates else {}
    return variable.model_copy(update={"parents": flat, "scope": scope})


def _seen(facts: Facts, program: Program, variable: Variable, parent: str) -> Seen:
    """All copies of a `for_each` parent, as a group; its own copy, where they pair."""
    if parent not in program.groups:
        return parent
    if facts.pairs_with(parent, variable.node):
        return parent + variable.name.removeprefix(variable.node)
    return program.groups[parent]
