"""Edges between nodes become parents of variables, and prompts learn what their names stand for."""

from collections.abc import Iterable

import networkx as nx

from sysgraph_schemas import NodeSpec

from ..expansion import Seen
from ..facts import Facts
from ..program import Element, Gate, Program, Tool, Variable
from ..templates.model_name import gate_options


def run(facts: Facts, program: Program) -> Program:
    """Every variable with its parents, scope and gates; turns of loops one after the other."""
    linked = tuple(_link(facts, variable) for variable in program.variables)
    if facts.graph.loops:
        linked = _in_order(linked)
    return program.model_copy(update={"variables": linked})


def _link(facts: Facts, variable: Variable) -> Variable:
    name, bindings = variable.node, _bindings(variable)
    seen: dict[str, Seen | None] = {
        parent: facts.expansion.seen(parent, name, bindings) for parent in facts.parents[name]
    }
    for parent in facts.expansion.carried_into.get(name, ()):
        seen[parent] = facts.expansion.seen(parent, name, bindings, carried=True)
    if not seen:
        return variable
    node = facts.graph.nodes[name]
    there = {parent: part for parent, part in seen.items() if part is not None}
    update: dict[str, object] = {"parents": tuple(dict.fromkeys(_flat(there.values())))}
    if node.is_prompted:
        update["scope"], update["empty"] = _scope(facts, name, seen)
    if variable.tool is not None:
        update["tool"] = _tool(facts, variable, node, there)
    if node.gates:
        update["gates"] = _gates(node, variable, there)
    if variable.elements:
        update["elements"] = {
            key: Element(list=_one(there[element.list]), index=element.index)
            for key, element in variable.elements.items()
        }
    return variable.model_copy(update=update)


def _bindings(variable: Variable) -> dict[str, str | int | float]:
    """The values along all of the axes, in their order where it counts: `for_each`, then turn."""
    elements = {key: element.index for key, element in variable.elements.items()}
    return {**elements, **variable.bindings}


def _flat(parts: Iterable[Seen]) -> Iterable[str]:
    for part in parts:
        yield from (part,) if isinstance(part, str) else part


def _one(part: Seen) -> str:
    return part if isinstance(part, str) else part[0]


def _scope(
    facts: Facts, name: str, seen: dict[str, Seen | None]
) -> tuple[dict[str, Seen], tuple[str, ...]]:
    """What the names stand for; in a loop's first turn, carried ones for nothing."""
    scope = {
        said: part
        for parent, part in seen.items()
        if part is not None
        for said in facts.said(name, parent)
    }
    missing = [parent for parent, part in seen.items() if part is None]
    lists = [p for p in missing if facts.expansion.is_group(p) or facts.type_of(p) == "list[text]"]
    empty = [parent for parent in missing if parent not in lists]
    said = {parent: facts.said(name, parent) for parent in missing}
    nothing = dict.fromkeys((word for parent in lists for word in said[parent]), ())
    return {**scope, **nothing}, tuple(word for parent in empty for word in said[parent])


def _tool(facts: Facts, variable: Variable, node: NodeSpec, there: dict[str, Seen]) -> Tool:
    others = {*node.gates, *node.spread.values()}
    arguments = node.arguments or {
        said.rpartition(".")[2]: parent
        for parent in there
        if parent not in others
        for said in facts.said(variable.node, parent) or (parent,)
    }
    tool = variable.tool
    assert tool is not None
    return tool.model_copy(
        update={"arguments": {name: there[parent] for name, parent in arguments.items()}}
    )


def _gates(node: NodeSpec, variable: Variable, there: dict[str, Seen]) -> tuple[Gate, ...]:
    return tuple(
        Gate(choice=_one(there[choice]), options=gate_options(options, variable.bindings))
        for choice, options in node.gates.items()
    )


def _in_order(variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
    """In topological order; ties as they were."""
    rank = {variable.name: index for index, variable in enumerate(variables)}
    dag: nx.DiGraph[str] = nx.DiGraph()
    dag.add_nodes_from(rank)
    dag.add_edges_from((parent, v.name) for v in variables for parent in v.parents)
    order = nx.lexicographical_topological_sort(dag, key=rank.__getitem__)
    return tuple(variables[rank[name]] for name in order)
