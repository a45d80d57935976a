"""What the system is run on: rows with a text for every input of the graph."""

from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from .. import toys
from ..errors import DataError
from .rows import Row, read_rows


def load_inputs(program: Program, source: str | Path) -> list[dict[str, Any]]:
    """One mapping a row: the graph's inputs, and the row's other fields for scorers.

    Args:
        source: `toy:WORLD/SPLIT`, a `.jsonl` or `.parquet` file, or a `datasets` name. A row is
            {"question": "...", ...} or {"inputs": {"question": "..."}, ...}.

    Raises:
        DataError: rows without a text for every input, all of them.
        InputError: nothing can be read there.
    """
    if toys.is_toy(str(source)):
        rows = [
            Row(f"{source}:{i}", fields, Path())
            for i, fields in enumerate(toys.inputs(str(source)), start=1)
        ]
    else:
        rows = read_rows(source)
    names = [variable.name for variable in program.variables if variable.kind == "input"]
    problems: list[str] = []
    out = []
    for row in rows:
        nested = row.fields.get("inputs")
        fields = {**row.fields, **nested} if isinstance(nested, dict) else dict(row.fields)
        fields.pop("inputs", None) if isinstance(nested, dict) else None
        problems += [
            f"{row.place}: {name}: expected a text, got {_shown(fields, name)}"
            for name in names
            if not isinstance(fields.get(name), str)
        ]
        out.append(fields)
    if problems:
        raise DataError(problems)
    return out


def _shown(fields: dict[str, Any], name: str) -> str:
    if name not in fields:
        return f"nothing; the row has {', '.join(map(str, fields)) or 'no fields'}"
    return f"{fields[name]!r:.60}"
