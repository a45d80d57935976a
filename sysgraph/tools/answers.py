"""What a tool gave, as its node takes it; or the error that stands for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sysgraph_compiler import Variable
from sysgraph_schemas import RecordField
from sysgraph_schemas.suggest import listed
from sysgraph_schemas.visible import half_character

from ..support.errors import RunError
from .base import ToolError

Answer = str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]]
"""A text or an option, a list of texts, or the fields of a record in their order."""


class _OtherType(TypeError):
    """The value is none that the node takes; the message is what was expected."""


def answer(variable: Variable, call: str, outcome: Any) -> Answer | ToolError | RunError:
    """The value, or the error that stands for it.

    Args:
        call: how the call is described.
        outcome: what the call gave or raised.
    """
    if isinstance(outcome, ToolError):
        return _alone(outcome)
    if isinstance(outcome, Exception):
        error = RunError(f"{call} raised {type(outcome).__name__}: {outcome}")
        error.__cause__ = outcome
        return error
    tool = variable.tool
    assert tool is not None
    try:
        if variable.type == "record":
            return _record(tool.fields, outcome)
        if variable.type == "list[text]":
            return _bounded(_texts(outcome, "a list of texts"), tool.min_items, tool.max_items)
        return _text(outcome, variable.options)
    except ToolError as found:
        return _alone(found)
    except _OtherType as expected:
        return RunError(f"{call} returned {outcome!r:.60}; expected {expected}")


def _alone(error: ToolError) -> ToolError:
    """Without its frames, which would keep the toolbox that keeps it, and so the tools, open."""
    return error.with_traceback(None)


def _record(fields: Mapping[str, RecordField], value: Any) -> Answer:
    """The fields that the node names; the value may have others."""
    if not isinstance(value, Mapping):
        raise _OtherType(f"a mapping with {listed(fields)}")
    return {key: _field(key, part, value.get(key)) for key, part in fields.items()}


def _field(key: str, part: RecordField, value: Any) -> str | tuple[str, ...]:
    is_list = part.value_type == "list[text]"
    if value is None and part.optional:
        return () if is_list else ""
    what = f" as its field {key!r}"
    if is_list:
        texts = _texts(value, f"a list of texts{what}")
        return _bounded(texts, part.min_items, part.max_items, f"the field {key!r} has ")
    return _text(value, part.choices, what)


def _text(value: Any, options: Sequence[str], what: str = "") -> str:
    if not isinstance(value, str):
        raise _OtherType(f"a text{what}")
    if options and value not in options:
        raise _OtherType(f"one of the options {listed(options, 8)}{what}")
    return _whole(value)


def _texts(value: Any, wanted: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _OtherType(wanted)
    return tuple(map(_whole, value))


def _whole(text: str) -> str:
    if half_character(text) is not None:
        raise _OtherType("whole characters: it holds half of one")
    return text


def _bounded(
    items: tuple[str, ...], least: int, most: int | None, what: str = ""
) -> tuple[str, ...]:
    if len(items) < least:
        raise ToolError(f"{what}{len(items)} items, at least {least} wanted")
    if most is not None and len(items) > most:
        raise ToolError(f"{what}{len(items)} items, at most {most} wanted")
    return items
