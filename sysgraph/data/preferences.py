"""Preference pairs from rows, and back: DESIGN's own format and TRL's."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program, Variable

from ..errors import DataError
from ..forward import complete
from ..trace import Completion, Trace, Value, by_node, generated_nodes, ids_by_node
from ..training.pairs import Pair
from .rows import Row, read_rows

_SIDES = ("chosen", "rejected")
_FIELDS = ("inputs", *_SIDES, "chosen_ids", "rejected_ids", "prompt")


class _Bad(ValueError):
    """What is wrong with a row, without its place."""


def load_pairs(program: Program, source: str | Path) -> list[Pair]:
    """The preference pairs of a file or dataset.

    A row is {"inputs": {...}, "chosen": {...}, "rejected": {...}} with a value per node (a list for
    a `for_each` node), or TRL's {"prompt", "chosen", "rejected"} (plain or messages) for a graph
    with one input and one output.

    Raises:
        DataError: rows that are not so, or lack a value that the Direct objective needs; all of
            them, with file:row.
        InputError: nothing can be read there.
    """
    problems: list[str] = []
    pairs = []
    for row in read_rows(source):
        found: list[str] = []
        pair = _pair(program, row, found)
        problems += [f"{row.place}: {problem}" for problem in found]
        if pair is not None and not found:
            pairs.append(pair)
    if problems:
        raise DataError(problems)
    return pairs


def pair_row(program: Program, pair: Pair) -> dict[str, Any]:
    """The row that `load_pairs` reads the pair from, token ids included."""
    row: dict[str, Any] = {**pair.chosen.extra, "inputs": dict(pair.chosen.inputs)}
    for side, trace in zip(_SIDES, (pair.chosen, pair.rejected), strict=True):
        row[side] = by_node(program, trace)
        row[f"{side}_ids"] = ids_by_node(program, trace)
    return row


def _pair(program: Program, row: Row, problems: list[str]) -> Pair | None:
    fields = row.fields
    missing = [side for side in _SIDES if fields.get(side) is None]
    if missing:
        problems += [_missing(side, fields) for side in missing]
        return None
    try:
        if "prompt" in fields and "inputs" not in fields:
            inputs, values = _from_trl(program, fields)
        else:
            inputs, values = _inputs(program, fields), {s: fields[s] for s in _SIDES}
    except _Bad as error:
        problems.append(str(error))
        return None
    extra = {key: value for key, value in fields.items() if key not in _FIELDS}
    sides = []
    for side in _SIDES:
        ids = fields.get(f"{side}_ids") or {}
        read = _values(program, values[side], ids, side, problems)
        trace = complete(program, Trace(inputs, read, program.outputs, extra=extra))
        problems += [] if problems else _gaps(program, trace, side)
        sides.append(trace)
    return Pair(sides[0], sides[1], row.place)


def _missing(side: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(side, [k for k in fields if k not in _FIELDS], n=1)
    hint = f" (did you mean to call {close[0]!r} so?)" if close else ""
    has = ", ".join(map(str, fields)) or "no fields"
    return f"no {side!r}; the row has {has}{hint}"


def _inputs(program: Program, fields: Mapping[str, Any]) -> dict[str, str]:
    names = [variable.name for variable in program.variables if variable.kind == "input"]
    inputs = fields.get("inputs")
    if not isinstance(inputs, dict):
        raise _Bad(
            f"no 'inputs'; expected an object with {', '.join(names)}, beside 'chosen' and 'rejected'"
        )
    for name in names:
        if not isinstance(inputs.get(name), str):
            raise _Bad(f"inputs.{name}: expected a text, got {_kind(inputs.get(name))}")
    unknown = [str(name) for name in inputs if name not in names]
    if unknown:
        raise _Bad(f"inputs.{unknown[0]}: the graph has no such input; it has {', '.join(names)}")
    return {name: inputs[name] for name in names}


def _from_trl(
    program: Program, fields: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """TRL's preference format as inputs and values by side."""
    inputs = [variable for variable in program.variables if variable.kind == "input"]
    outputs = [v for v in program.variables if v.name in program.outputs]
    if len(inputs) != 1 or len(outputs) != 1 or outputs[0].kind != "lm":
        raise _Bad(
            "a row with 'prompt' is for graphs with one input and one text as output; this graph "
            f"has {len(inputs)} input(s) and {len(outputs)} output(s): give 'inputs', and a value "
            "per node under 'chosen' and 'rejected'"
        )
    prompt = _text(fields["prompt"], "prompt", "user")
    node = outputs[0].node
    answers = {side: _text(fields[side], side, "assistant") for side in _SIDES}
    wrap = node in program.groups
    values = {side: {node: [text] if wrap else text} for side, text in answers.items()}
    return {inputs[0].name: prompt}, values


def _text(value: Any, name: str, role: str) -> str:
    """A plain text, or the content of a single message."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise _Bad(f"{name}: expected a text or a list of messages, got {_kind(value)}")
    if len(value) == 1 and value[0].get("role") == role:
        content = value[0].get("content")
        if isinstance(content, str):
            return content
    roles = ", ".join(str(turn.get("role")) for turn in value) or "none"
    raise _Bad(
        f"{name}: expected one {role} message with a text, got messages by {roles}: a system prompt "
        "or earlier turns belong into the graph's `messages:`"
    )


def _values(
    program: Program, value: Any, ids: Any, side: str, problems: list[str]
) -> dict[str, Value]:
    """Values by variable from values by node."""
    if not isinstance(value, dict):
        problems.append(
            f"{side}: expected an object with a value per node, got {_kind(value)} (a plain text "
            "needs 'prompt' beside it)"
        )
        return {}
    nodes = generated_nodes(program)
    for name in value:
        if name not in nodes:
            close = difflib.get_close_matches(str(name), nodes, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(nodes)}"
            problems.append(f"{side}.{name}: the graph generates no such node{hint}")
    variables = {variable.name: variable for variable in program.variables}
    out: dict[str, Value] = {}
    for node, copies in nodes.items():
        given = value.get(node)
        if given is None:
            continue
        if node in program.groups:
            if not isinstance(given, list) or len(given) != len(copies):
                problems.append(
                    f"{side}.{node}: expected a list of {len(copies)} values, one for each of "
                    f"{', '.join(copies)}; got {_kind(given)}"
                )
                continue
        else:
            given = [given]
        node_ids = ids.get(node) if isinstance(ids, dict) else None
        for i, (name, item) in enumerate(zip(copies, given, strict=True)):
            tokens = node_ids[i] if isinstance(node_ids, list) and i < len(node_ids) else None
            try:
                read = _value(variables[name], item, tokens)
            except _Bad as error:
                problems.append(f"{side}.{name}: {error}")
                continue
            out.update({name: read} if read is not None else {})
    return out


def _value(variable: Variable, item: Any, ids: Any) -> Value | None:
    if item is None:
        return None
    if variable.kind == "lm":
        if not isinstance(item, str):
            raise _Bad(f"expected a text, got {_kind(item)}")
        valid = isinstance(ids, list) and ids and all(isinstance(i, int) and i >= 0 for i in ids)
        return Completion(item, tuple(ids) if valid else None)
    if variable.type == "text":
        if not isinstance(item, str):
            raise _Bad(f"expected a text, got {_kind(item)}")
        return item
    if not isinstance(item, list) or not all(isinstance(i, str) for i in item):
        raise _Bad(f"expected a list of texts, got {_kind(item)}")
    return tuple(item)


def _gaps(program: Program, trace: Trace, side: str) -> list[str]:
    """Nodes that the Direct objective needs and the side does not have."""
    absent = [
        term.variable
        for term in program.terms
        if term.model
        and term.variable not in trace.nonexistent
        and term.variable not in trace.values
    ]
    if not absent:
        return []
    return [
        f"{side}: no value for {', '.join(absent)}; expected one for every generated node (the "
        "Direct objective needs them all; absent or null means it was not observed)"
    ]


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "a text", type(None): "nothing", bool: "true or false"}
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return names.get(type(value), f"{value!r:.40}")
