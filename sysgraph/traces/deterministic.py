"""Values that follow from their parents: parsed, selected, or computed by a tool."""

import json

from sysgraph_compiler import Program, Variable
from sysgraph_compiler.variable import Tool

from ..support.errors import RunError
from ..tools import ToolError, toolbox_of
from ..tools.answers import Answer
from ..tools.toolbox import Argument, described
from .parsing import ParseFailure, parse
from .presence import Known
from .record import Record
from .trace import Completion, Value, plain


class Failure(ValueError):
    """A parser rejected its text, or a tool its arguments: there is no value.

    Args:
        abstains: whether that is `on_failure: abstain`.
        reason: what the tool itself said.
    """

    def __init__(self, why: str, *, abstains: bool, reason: str | None = None) -> None:
        super().__init__(why)
        self.abstains = abstains
        self.why = why if reason is None else reason


def compute(program: Program, variable: Variable, known: Known) -> Value | None:
    """The value of a deterministic variable that comes to be; None where a parent is unobserved.

    Raises:
        Failure: the text or the arguments are rejected, and the policy is `reject` or
            `abstain`.
        InputError, RunError: a tool is not there, or failed without a policy.
    """
    if variable.selects:
        return _selected(variable, known)
    if variable.field is not None:
        return _of_record(variable, known)
    if variable.parser is not None:
        return _parsed(program, variable, known)
    return _called(program, variable, known)


def _value(name: str, known: Known) -> Value | None:
    return known.inputs[name] if name in known.inputs else known.values.get(name)


def _selected(variable: Variable, known: Known) -> Value | None:
    """Of the first parent that exists; as plain text, for the token ids are another variable's."""
    first = next(parent for parent in variable.reads if parent not in known.nonexistent)
    value = _value(first, known)
    return value.text if isinstance(value, Completion) else value


def _of_record(variable: Variable, known: Known) -> Value | None:
    record = _value(variable.reads[0], known)
    return record[str(variable.field)] if isinstance(record, Record) else None


def _parsed(program: Program, variable: Variable, known: Known) -> Value | None:
    assert variable.parser is not None
    source = _value(variable.reads[0], known)
    if source is None:
        return None
    parser = program.parsers[variable.parser]
    try:
        return parse(parser, str(plain(source)))
    except ParseFailure as error:
        raise Failure(
            f"parser {variable.parser!r} ({parser.kind}): {error}",
            abstains=parser.on_failure == "abstain",
        ) from error


def _called(program: Program, variable: Variable, known: Known) -> Value | None:
    tool = variable.tool
    assert tool is not None
    arguments = arguments_of(variable, known)
    if arguments is None:
        return None
    try:
        if variable.name in known.failures:  # as a file says: it is not asked again
            raise ToolError(known.failures[variable.name])
        return _value_of(tool, toolbox_of(program).call(variable, arguments))
    except ToolError as error:
        if tool.on_failure in ("reject", "abstain"):
            raise Failure(
                f"tool {tool.name!r}: {error}",
                abstains=tool.on_failure == "abstain",
                reason=str(error),
            ) from error
        if tool.on_failure == "default" and tool.default is not None:
            return _value_of(tool, tool.default)
        raise RunError(
            f"{described(variable, arguments)} has no value: {error} (without `on_failure`, that "
            f"stops the row); the inputs were {_shown(known)}"
        ) from error


def _value_of(tool: Tool, given: Answer) -> Value:
    """What a tool gave; of a record, with the fields in the order of the graph."""
    if isinstance(given, str | tuple):
        return given
    return Record({key: given[key] for key in tool.fields})


def arguments_of(variable: Variable, known: Known) -> dict[str, Argument] | None:
    """What a tool is called with; None where a parent is unobserved."""
    assert variable.tool is not None
    arguments: dict[str, Argument] = {}
    for name, target in variable.tool.arguments.items():
        names = [target] if isinstance(target, str) else target
        values = [_value(n, known) for n in names if n not in known.nonexistent]
        texts = [plain(value) for value in values if value is not None]
        if len(texts) < len(values):
            return None
        arguments[name] = texts[0] if isinstance(target, str) else _texts(texts)
    return arguments


def _texts(values: list[Argument]) -> list[str]:
    """The copies of a node; of records their JSON."""
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def _shown(known: Known) -> str:
    return ", ".join(f"{name}={text!r:.60}" for name, text in known.inputs.items())
