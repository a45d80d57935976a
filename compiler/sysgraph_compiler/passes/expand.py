"""for_each: a node becomes one variable per combination of its items."""

from collections.abc import Iterator, Mapping
from itertools import product

import networkx as nx

from ..facts import Facts
from ..program import Program, Scalar, Variable


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


def copy_names(
    name: str, copies: Mapping[str, list[Scalar]]
) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """(variable name, bindings) of every copy: `draft[ada,1]`, in the order of keys and items."""
    if not copies:
        yield name, {}
        return
    for items in product(*copies.values()):
        shown = ",".join(str(item) for item in items)
        yield f"{name}[{shown}]", dict(zip(copies, items, strict=True))


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
