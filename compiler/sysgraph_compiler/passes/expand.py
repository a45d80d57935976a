"""for_each: a node becomes one variable per combination of its items."""

from collections.abc import Iterator

import networkx as nx

from ..copies import copy_names
from ..facts import Facts
from ..program import Program, Variable


def run(facts: Facts, program: Program) -> Program:
    """Variables in topological order (ties: the order of the file), without parents yet."""
    rank = {name: index for index, name in enumerate(facts.graph.nodes)}
    order = nx.lexicographical_topological_sort(facts.dag, key=rank.__getitem__)
    variables: list[Variable] = []
    groups: dict[str, tuple[str, ...]] = {}
    for name in order:
        copies = list(_copies(facts, name))
        variables.extend(copies)
        if name in facts.copied:
            groups[name] = tuple(copy.name for copy in copies)
    return program.model_copy(update={"variables": tuple(variables), "groups": groups})


def _copies(facts: Facts, name: str) -> Iterator[Variable]:
    node = facts.graph.nodes[name]
    fields = node.model_dump(include={"prompt"})
    for variable, bindings in copy_names(name, node.copies):
        yield Variable(
            name=variable,
            node=name,
            kind=node.kind,
            type="list[text]" if facts.type_of(name) == "list[text]" else "text",
            bindings=bindings,
            parser=node.parser_name,
            messages=tuple(getattr(node, "messages", None) or ()) or None,
            **fields,
        )
