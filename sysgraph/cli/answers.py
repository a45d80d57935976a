"""Many inputs through a system: a file of inputs becomes a file of every node's values."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..data.images import written
from ..support.files import write_text
from ..support.progress import Reporter
from ..system import System
from ..system.answerable import require_answerable
from ..traces.messages import inputs_by_name
from ..traces.trace import Trace, by_node


@dataclass(frozen=True)
class Answers:
    """What was written: `failed` rows have no output, `why` says of the first stopped one."""

    file: Path
    rows: int
    failed: int
    why: str | None


def write_answers(
    system: System,
    rows: Sequence[Mapping[str, Any]],
    file: Path,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Answers:
    """Samples every input once and writes a line each, in order: inputs, values by node.

    A row's other fields are kept; a node's value goes before a field of its name. Images are
    written to `images` beside the file. The file is there when it is whole.

    Args:
        rows: as `load_inputs` gives them.

    Raises:
        DataError: rows that no model can be asked about; nothing was written.
    """
    require_answerable(system, rows, "the inputs")
    traces: list[Trace] = []
    lines: list[str] = []
    with (reporter or Reporter(shown=False)).task("run", len(rows)) as task:
        for part in system.stream(rows, seed=seed):
            traces += part
            lines += [_line(system.program, trace, file.parent) for trace in part]
            task.advance(len(part))
    write_text(file, "".join(lines))
    stopped = (f"{trace.place}: {trace.stopped}" for trace in traces if trace.stopped)
    failed = sum(trace.failed for trace in traces)
    return Answers(file, len(traces), failed, next(stopped, None))


def _line(program: Program, trace: Trace, folder: Path) -> str:
    """A trace as a line of JSON."""
    values = by_node(program, trace, partial(written, folder=folder))
    row = {**trace.extra, "inputs": inputs_by_name(program, trace.inputs), **values}
    if trace.stopped is not None:
        row["stopped"] = trace.stopped
    return json.dumps(row, ensure_ascii=False) + "\n"
