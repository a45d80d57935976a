"""for_each and loops: a node becomes one variable per combination of its items and turns."""

from collections.abc import Iterator, Mapping
from typing import Any

from sysgraph_schemas import NodeSpec

from ..copies import LAST, Scalar, copy_name, copy_names
from ..expansion import ROUND
from ..facts import Facts
from ..program import Program
from ..templates.types import ANY
from ..variable import Element, Tool, Turn, Variable


def run(facts: Facts, program: Program) -> Program:
    """Variables by node in topological order (ties: the order of the file), without parents yet."""
    rank = {name: index for index, name in enumerate(facts.graph.nodes)}
    order = facts.dag.order_by(rank.__getitem__)
    variables: list[Variable] = []
    groups: dict[str, tuple[str, ...]] = {}
    for name in order:
        copies = list(_copies(facts, name))
        variables.extend(copies)
        if name in facts.expansion.axes:
            groups[name] = tuple(copy.name for copy in copies)
        last = list(_last(facts, name, copies)) if name in facts.last_turns else []
        variables.extend(last)
        if last and facts.expansion.is_group(name):
            groups[last[0].node] = tuple(copy.name for copy in last)
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
                **{
                    key: Element(list=source, index=int(values[key]))
                    for key, source in node.spread.items()
                },
                **dict(_element_of_turn(facts, name, values)),
            },
            turn=_turn(facts, name, values),
            **shared,
        )


def _element_of_turn(
    facts: Facts, name: str, values: dict[str, Scalar]
) -> Iterator[tuple[str, Element]]:
    """Of a loop over a list, the element that the turn is for."""
    loop = facts.expansion.loop(name)
    if loop is not None and loop.over is not None:
        yield loop.element, Element(list=loop.over, index=int(values[ROUND]))


def _last(facts: Facts, name: str, copies: list[Variable]) -> Iterator[Variable]:
    """For each copy of a node of a loop, what has the value of its last turn that ran."""
    axes = facts.expansion.axes[name]
    first = (copy for copy in copies if copy.turn is not None and copy.turn.number == 1)
    for copy, last in zip(first, facts.expansion.last(name), strict=True):
        yield Variable(
            name=last,
            node=copy_name(name, [LAST]),
            kind="select",
            type=copy.type,
            is_given=False,
            bindings={key: value for key, value in copy.bindings.items() if key != ROUND},
            parents=tuple(
                copy_name(name, [*_items(copy, axes), number]) for number in reversed(axes[ROUND])
            ),
            options=copy.options,
            fewest=copy.fewest,
            selects=True,
            last_of=name,
        )


def _items(copy: Variable, axes: Mapping[str, list[Scalar]]) -> Iterator[Scalar]:
    for key in axes:
        if key != ROUND:
            yield copy.elements[key].index if key in copy.elements else copy.bindings[key]


def _turn(facts: Facts, name: str, values: dict[str, Scalar]) -> Turn | None:
    name_of_loop, loop = facts.expansion.loop_of.get(name), facts.expansion.loop(name)
    if name_of_loop is None or loop is None:
        return None
    return Turn(
        loop=name_of_loop,
        number=int(values[ROUND]),
        rounds=facts.expansion.turns(name),
        over=loop.over,
        element=None if loop.over is None else loop.element,
        is_open=loop.is_open,
    )


def _tool(node: NodeSpec) -> Tool | None:
    """The tool, without its arguments yet."""
    if node.tool_name is None:
        return None
    named = {*Tool.model_fields} - {"name", "arguments"}
    return Tool(name=node.tool_name, **node.model_dump(include=named, exclude_none=True))
