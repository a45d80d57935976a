"""A trace from the values by node that a row gives, and everything that is wrong with them."""

import json
from collections.abc import Container, Iterator, Mapping
from typing import Any

from sysgraph_compiler import Program, Variable
from sysgraph_schemas.suggest import closest

from ..forward import complete
from ..trace import Completion, Trace, Value, generated_nodes, input_names, plain
from .shown import kind


class BadValue(ValueError):
    """What is wrong with a row or a value, without its place."""


def read_trace(
    program: Program,
    inputs: Mapping[str, str],
    side: tuple[str, Any],
    ids: tuple[str, Any],
    extra: Mapping[str, Any],
    problems: list[str],
) -> Trace:
    """The trace of one side of a row; what is wrong is appended to `problems`.

    Args:
        inputs: every input's text.
        side: the field's name and its values by node.
        ids: the field's name and the token ids of its texts by node, None without any.
        extra: the row's other fields.
    """
    before = len(problems)
    values: dict[str, Value] = {}
    given = _by_variable(program, *side, problems, listed=program.groups)
    for variable in program.variables:
        if given.get(variable.name) is None:
            continue
        try:
            values[variable.name] = _value(variable, given[variable.name])
        except BadValue as error:
            problems.append(f"{side[0]}.{variable.name}: {error}")
    if ids[1] is not None:
        _add_ids(program, values, ids, problems)
    if len(problems) == before:
        problems += [f"{side[0]}.{p}" for p in _contradictions(program, inputs, values)]
    return complete(program, Trace(inputs, values, program.outputs, extra=extra))


def _add_ids(
    program: Program, values: dict[str, Value], ids: tuple[str, Any], problems: list[str]
) -> None:
    """Gives texts the token ids they were sampled as."""
    listed = generated_nodes(program)  # the ids of every node are a list, of one entry per copy
    for name, item in _by_variable(program, *ids, problems, listed=listed).items():
        value = values.get(name)
        if item is None or value is None:
            continue
        if isinstance(value, Completion) and _are_ids(item):
            values[name] = Completion(value.text, tuple(item))
        else:
            problems.append(f"{ids[0]}.{name}: expected a list of token ids, got {kind(item)}")


def example(program: Program) -> str:
    """A row as it should be, as JSON."""
    copies = {v.node for v in program.variables if v.kind == "lm"}
    side = {
        node: ["..."] * len(variables) if node in program.groups else "..."
        for node, variables in generated_nodes(program).items()
        if node in copies
    }
    row = {"inputs": dict.fromkeys(input_names(program), "..."), "chosen": side, "rejected": side}
    return json.dumps(row)


def _by_variable(
    program: Program, name: str, given: Any, problems: list[str], *, listed: Container[str]
) -> dict[str, Any]:
    """What an object by node says of each variable; of the nodes `listed` by a list of copies."""
    if not isinstance(given, dict):
        problems.append(f"{name}: expected an object with an entry per node, got {kind(given)}")
        return {}
    nodes = generated_nodes(program)
    problems += [f"{name}.{node}: {_unknown(program, node)}" for node in given if node not in nodes]
    out: dict[str, Any] = {}
    for node, copies in nodes.items():
        items = given.get(node)
        if items is None:
            continue
        if node not in listed:
            items = [items]
        elif not isinstance(items, list) or len(items) != len(copies):
            problems.append(
                f"{name}.{node}: expected a list of {len(copies)}, one for each of "
                f"{', '.join(copies)}; got {kind(items)}"
            )
            continue
        out.update(zip(copies, items, strict=True))
    return out


def _unknown(program: Program, name: str) -> str:
    """What to say of a name that is no generated node."""
    nodes = generated_nodes(program)
    if name in input_names(program):
        return f"{name!r} is an input of the graph; expected under 'inputs'"
    for node in program.groups:
        if name in nodes.get(node, ()):
            return f"one copy of {node!r}; expected all of them as a list under {node!r}"
    near = closest(name, nodes)
    hint = f"did you mean {near!r}? " if near else ""
    return f"no such node; {hint}expected {', '.join(nodes)}"


def _value(variable: Variable, item: Any) -> Value:
    if variable.kind == "lm" or variable.type == "text":
        if not isinstance(item, str):
            raise BadValue(f"expected a text, got {kind(item)}")
        return Completion(item) if variable.kind == "lm" else item
    if not isinstance(item, list) or not all(isinstance(i, str) for i in item):
        raise BadValue(f"expected a list of texts, got {kind(item)}")
    return tuple(item)


def _are_ids(item: Any) -> bool:
    return (
        isinstance(item, list)
        and bool(item)
        and all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in item)
    )


def _contradictions(
    program: Program, inputs: Mapping[str, str], values: Mapping[str, Value]
) -> Iterator[str]:
    """Given values of deterministic variables that do not follow from the given texts."""
    parsed = [v for v in program.variables if v.kind == "parse" and v.name in values]
    if not parsed:
        return
    names = {variable.name for variable in parsed}
    texts = {name: value for name, value in values.items() if name not in names}
    computed = complete(program, Trace(inputs, texts, program.outputs))
    for variable in parsed:
        what = f"{variable.name}: {kind(plain(values[variable.name]))}"
        follows = computed.values.get(variable.name)
        parser = f"parser {variable.parser!r}"
        if variable.name in computed.nonexistent:
            yield f"{what}, but {parser} has no value for the text it reads; expected null"
        elif follows is not None and follows != values[variable.name]:
            yield (
                f"{what}, but {parser} reads {kind(plain(follows))}; expected that, or nothing (it "
                "is computed)"
            )
