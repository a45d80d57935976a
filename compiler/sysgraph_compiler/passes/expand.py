"""for_each and loops: a node becomes one variable per combination of its items and turns."""

from collections.abc import Iterator
from typing import Any

import networkx as nx

from sysgraph_schemas import NodeSpec

from ..copies import Scalar, copy_names
from ..expansion import ROUND
from ..facts import Facts
from ..program import Element, Program, Tool, Turn, Variable
from ..templates.types import ANY


def run(facts: Facts, program: Program) -> Program:
    """Variables by node in topological order (ties: the order of the file), without parents yet."""
    rank = {name: index for index, name in enumerate(facts.graph.nodes)}
    order = nx.lexicographical_topological_sort(facts.dag, key=rank.__getitem__)
    variables: list[Variable] = []
    groups: dict[str, tuple[str, ...]] = {}
    for name in order:
        copies = list(_copies(facts, name))
        variables.extend(copies)
        if name in facts.expansion.axes:
            groups[name] = tuple(copy.name for copy in copies)
    return program.model_copy(update={"variables": tuple(variables), "groups": groups})


def _copies(facts: Facts, name: str) -> Iterator[Variable]:
    node = facts.graph.nodes[name]
    kind = facts.type_of(name)
    shared: dict[str, Any] = {
        "node": name,
        "kind": node.kind,
        "type": "text" if kind == ANY else kind,
        "is_given": node.is_input,
        "prompt": node.plain_prompt,
        "messages": node.message_parts or None,
        "decoding": node.decoding,
        "parser": node.parser_name,
        "field": node.part[1] if node.part else None,
        "tool": _tool(node),
        "options": tuple(node.choices),
        "fewest": node.fewest,
        "selects": node.takes_any,
    }
    for variable, values in copy_names(name, facts.expansion.axes.get(name, {})):
        yield Variable(
            name=variable,
            bindings={key: value for key, value in values.items() if key not in node.spread},
            elements={
                key: Element(list=source, index=int(values[key]))
                for key, source in node.spread.items()
            },
            turn=_turn(facts, name, values),
            **shared,
        )


def _turn(facts: Facts, name: str, values: dict[str, Scalar]) -> Turn | None:
    loop = facts.expansion.loop_of.get(name)
    return None if loop is None else Turn(loop=loop, number=int(values[ROUND]))


def _tool(node: NodeSpec) -> Tool | None:
    """The tool, without its arguments yet."""
    if node.tool_name is None:
        return None
    named = {*Tool.model_fields} - {"name", "arguments"}
    return Tool(name=node.tool_name, **node.model_dump(include=named, exclude_none=True))
