"""Traces as rows of a file, and back."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..traces.messages import inputs_by_name
from ..traces.trace import Trace, by_node, ids_by_node
from .images import written
from .inputs import read_inputs
from .rows import Row
from .values import read_trace


def trace_row(program: Program, trace: Trace, folder: Path) -> dict[str, Any]:
    """The row that `read_trace_row` reads the trace from, token ids included.

    Its images are written to `folder`, where the row's file is to lie.
    """
    return {
        "inputs": inputs_by_name(program, trace.inputs, partial(written, folder=folder)),
        "values": by_node(program, trace, partial(written, folder=folder)),
        "ids": ids_by_node(program, trace),
        "extra": dict(trace.extra),
        **({"failed": dict(trace.failures)} if trace.failures else {}),
        **({} if trace.stopped is None else {"stopped": trace.stopped}),
    }


def read_trace_row(program: Program, row: Row, problems: list[str]) -> Trace:
    """What `trace_row` wrote; what is wrong is appended to `problems`."""
    fields = row.fields
    stopped = fields.get("stopped")
    trace = read_trace(
        program,
        read_inputs(program, _object(fields, "inputs"), row.images, "inputs.", problems),
        ("values", fields.get("values")),
        ("ids", fields.get("ids")),
        _object(fields, "extra"),
        row.images,
        problems,
        fields.get("failed"),
        stopped=isinstance(stopped, str),
    )
    return replace(trace, stopped=stopped) if isinstance(stopped, str) else trace


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}
