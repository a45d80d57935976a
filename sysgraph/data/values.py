"""A trace from the values by node that a row gives, and everything that is wrong with them."""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sysgraph_compiler import Program, Variable
from sysgraph_compiler.copies import LAST
from sysgraph_schemas.suggest import closest
from sysgraph_schemas.suggest import listed as enumerated

from ..support.errors import InputError, RunError
from ..traces.course import complete
from ..traces.pictures import Picture
from ..traces.presence import why_skipped
from ..traces.record import Record
from ..traces.trace import (
    Completion,
    Given,
    Trace,
    Value,
    element_nodes,
    generated_nodes,
    input_names,
    plain,
)
from .images import ImageFiles
from .shown import BadValue, kind


def read_trace(
    program: Program,
    inputs: Mapping[str, Given],
    side: tuple[str, Any],
    ids: tuple[str, Any],
    extra: Mapping[str, Any],
    images: ImageFiles,
    problems: list[str],
    failed: Any = None,
    *,
    stopped: bool = False,
) -> Trace:
    """The trace of one side of a row; what is wrong is appended to `problems`.

    Args:
        inputs: every input's value.
        side: the field's name and its values by node.
        ids: the field's name and the token ids of its texts by node, None without any.
        extra: the row's other fields.
        images: opens the images that the values name.
        failed: why tools had no value, by variable, as `Trace.failures` has it.
        stopped: whether it could not go on, as where a tool failed: then nothing has to follow.
    """
    before = len(problems)
    values: dict[str, Value] = {}
    given = _by_variable(program, *side, problems, listed=program.groups)
    for variable in program.variables:
        if given.get(variable.name) is None:
            continue
        try:
            values[variable.name] = _value(program, variable, given[variable.name], images)
        except BadValue as error:
            problems.append(f"{side[0]}.{variable.name}: {error}")
    if ids[1] is not None:
        _add_ids(program, values, ids, problems)
    # A tool's value is recorded: the tool may be slow, or be elsewhere, and is not called again.
    texts = {
        name: value
        for name, value in values.items()
        if name not in program.deterministic or program.variable(name).tool is not None
    }
    start = Trace(inputs, texts, program.outputs, extra=extra, failures=_failures(program, failed))
    try:
        trace = complete(program, start)
    except (InputError, RunError) as error:  # a tool on these values
        if not stopped:
            problems.append(f"{side[0]}: {error}")
        return start
    if len(problems) == before:
        problems += [f"{side[0]}.{p}" for p in _contradictions(program, values, trace)]
    if len(texts) == len(values):
        return trace
    return complete(program, replace(start, values=values))


def _failures(program: Program, failed: Any) -> dict[str, str]:
    """Why tools had no value, by variable."""
    tools = {v.name for v in program.variables if v.tool is not None}
    given = failed if isinstance(failed, dict) else {}
    return {name: str(why) for name, why in given.items() if name in tools}


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
    shown = {
        v.node: v.options[0] if v.options else "..."
        for v in program.variables
        if not v.is_given and v.name not in program.deterministic
    }
    side = {
        node: [shown[node]] * len(variables) if node in program.groups else shown[node]
        for node, variables in generated_nodes(program).items()
        if node in shown
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
    nodes, shorter = generated_nodes(program), element_nodes(program)
    problems += [f"{name}.{node}: {_unknown(program, node)}" for node in given if node not in nodes]
    out: dict[str, Any] = {}
    for node, copies in nodes.items():
        items = given.get(node)
        if items is None:
            continue
        last = f"{node}[{LAST}]"
        if node in listed and isinstance(items, str) and last in nodes:
            out[last] = items  # what the loop gave, and not which turn did
            continue
        if node not in listed:
            items = [items]
        elif isinstance(items, list) and len(items) < len(copies) and node in shorter:
            items = [*items, *[None] * (len(copies) - len(items))]
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


def _value(program: Program, variable: Variable, item: Any, images: ImageFiles) -> Value:
    if variable.type == "image":
        return images.picture(item)
    if variable.options and item not in variable.options:
        near = closest(item, variable.options) if isinstance(item, str) else None
        hint = f"did you mean {near!r}? " if near else ""
        options = enumerated(variable.options)
        raise BadValue(f"{kind(item)} is no option; {hint}expected one of {options}")
    if variable.type in ("text", "choice"):
        if not isinstance(item, str):
            raise BadValue(f"expected a text, got {kind(item)}")
        return item if variable.name in program.deterministic else Completion(item)
    if variable.type == "record":
        return _record(program, variable, item)
    if not _is_list(item):
        raise BadValue(f"expected a list of texts, got {kind(item)}")
    most = variable.tool.max_items if variable.tool is not None else None
    if most is not None and len(item) > most:
        raise BadValue(f"expected at most {most} texts, got {len(item)}")
    return tuple(item)


def _is_list(item: Any) -> bool:
    return isinstance(item, list) and all(isinstance(i, str) for i in item)


def _record(program: Program, variable: Variable, item: Any) -> Value:
    """An object with exactly the fields of the parser or the tool, each of its type."""
    tool = variable.tool
    parts = tool.fields if tool is not None else program.parsers[str(variable.parser)].parts
    if not isinstance(item, dict):
        raise BadValue(f"expected an object with {enumerated(parts)}, got {kind(item)}")
    for name, part in parts.items():
        if name not in item:
            raise BadValue(f"the field {name!r} is missing; expected {enumerated(parts)}")
        is_list = part.value_type == "list[text]"
        if not (_is_list(item[name]) if is_list else isinstance(item[name], str)):
            wanted = "a list of texts" if is_list else "a text"
            raise BadValue(f"the field {name!r}: expected {wanted}, got {kind(item[name])}")
        if is_list and part.most is not None and len(item[name]) > part.most:
            most = f"at most {part.most} texts, got {len(item[name])}"
            raise BadValue(f"the field {name!r}: expected {most}")
        if part.choices and item[name] not in part.choices:
            options = enumerated(part.choices)
            raise BadValue(
                f"the field {name!r}: {kind(item[name])} is no option; expected one of {options}"
            )
    for name in item:
        if name not in parts:
            raise BadValue(f"there is no field {name!r}; expected {enumerated(parts)}")
    return Record({k: item[k] if isinstance(item[k], str) else tuple(item[k]) for k in parts})


def _are_ids(item: Any) -> bool:
    return (
        isinstance(item, list)
        and bool(item)
        and all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in item)
    )


def _contradictions(program: Program, values: Mapping[str, Value], follows: Trace) -> Iterator[str]:
    """Given values of what did not run, or that do not follow from the others.

    Args:
        follows: what the values of models alone lead to.
    """
    for variable in program.variables:
        name = variable.name
        if name not in values:
            continue
        what = f"{name}: {_shown(values[name])}"
        found = follows.values.get(name)
        gives, lacks = _phrases(variable)
        if name in follows.nonexistent - follows.rejected:
            yield f"{what}, but {why_skipped(variable, follows)}; expected null"
        elif name not in program.deterministic:
            continue  # what hangs on a rejected text is dropped
        elif name in follows.rejected:
            yield f"{what}, but {lacks}; expected null"
        elif found is not None and found != values[name]:
            yield (
                f"{what}, but {gives} {_shown(found)}; expected that, or nothing (it is computed)"
            )


def _shown(value: Value) -> str:
    if isinstance(value, Record):
        return f"the record {json.dumps(value.plain(), ensure_ascii=False):.200}"
    return f"the image {value.name}" if isinstance(value, Picture) else kind(plain(value))


def _phrases(variable: Variable) -> tuple[str, str]:
    """How a deterministic variable comes to a value, and how it fails to."""
    if variable.field is not None:
        record = variable.parents[0]
        return f"{record} has", f"{record} has no value"
    if variable.parser is not None:
        parser = f"parser {variable.parser!r}"
        return f"{parser} reads", f"{parser} has no value for the text it reads"
    if variable.tool is not None:
        tool = f"tool {variable.tool.name!r}"
        return f"{tool} returns", f"{tool} has no value for its arguments"
    return "the first branch that ran has", "every branch that ran was rejected"
