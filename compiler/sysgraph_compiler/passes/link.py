"""Edges between nodes become parents of variables, and prompts learn what their names stand for."""

from collections.abc import Iterable, Mapping

from sysgraph_schemas import NodeSpec

from .. import turns
from ..copies import Scalar
from ..digraph import Digraph
from ..expansion import Seen
from ..facts import Facts
from ..labels import labels, number
from ..program import Program
from ..templates.model_name import gate_options
from ..variable import Element, Gate, Tool, Variable


def run(facts: Facts, program: Program) -> Program:
    """Every variable with its parents, scope and gates; turns of loops one after the other."""
    linked = tuple(_link(facts, variable) for variable in program.variables)
    if facts.graph.loops:
        linked = _in_order(linked)
    return program.model_copy(update={"variables": linked})


def _link(facts: Facts, variable: Variable) -> Variable:
    if variable.last_of is not None:
        return variable  # it has its parents
    name, bindings = variable.node, _bindings(variable)
    history = turns.history(facts, variable)
    remembered = facts.remembered(name)
    seen: dict[str, Seen | None] = {
        parent: facts.expansion.seen(parent, name, bindings)
        for parent in facts.parents[name]
        if parent not in remembered
    }
    for parent in facts.expansion.carried_into.get(name, ()):
        seen[parent] = facts.expansion.seen(parent, name, bindings, carried=True)
    node = facts.graph.nodes[name]
    there = {parent: part for parent, part in seen.items() if part is not None}
    gates = (*_gates(node, variable, there), *turns.goes_on(facts, variable))
    elements = {
        key: Element(list=_list(facts, name, element.list, bindings), index=element.index)
        for key, element in variable.elements.items()
    }
    past = [part for every in history.values() for turn in every for part in turn.values.values()]
    beside = (*(gate.choice for gate in gates), *(element.list for element in elements.values()))
    parents = tuple(dict.fromkeys((*_flat(there.values()), *_flat(past), *beside)))
    update: dict[str, object] = {"parents": parents} if parents else {}
    if node.is_prompted and (seen or history):
        update["scope"], update["empty"] = _scope(facts, name, seen)
        update["history"] = history
        update["labels"] = labels(facts, variable, there, history)
        update["number"] = number(facts, variable)
    if variable.tool is not None:
        update["tool"] = _tool(facts, variable, node, there)
    if gates:
        update["gates"] = gates
    if elements:
        update["elements"] = elements
    if variable.turn is not None and variable.turn.over is not None:
        over = _list(facts, name, variable.turn.over, bindings)
        update["turn"] = variable.turn.model_copy(update={"over": over})
    return variable.model_copy(update=update) if update else variable


def _list(facts: Facts, name: str, source: str, bindings: Mapping[str, Scalar]) -> str:
    """The variable whose elements a copy is for."""
    return _one(facts.expansion.seen(source, name, bindings) or source)


def _bindings(variable: Variable) -> dict[str, Scalar]:
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
    dag = Digraph(rank, ((parent, v.name) for v in variables for parent in v.parents))
    return tuple(variables[rank[name]] for name in dag.order_by(rank.__getitem__))
