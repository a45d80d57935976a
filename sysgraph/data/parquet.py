"""Rows of a JSON Lines file as a Parquet file, a group of them in memory at a time."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP = 4096
"""Rows of a row group."""
_DEEPEST = 20
"""Lists and objects inside one another: readers take 100 levels of a schema, a list is two."""


def write_parquet(lines: Path, file: Path) -> list[str]:
    """Writes the objects of a JSON Lines file, each key a column, typed by what all rows hold.

    A column whose values have no common type (1 and "a"; 1 and [1]), or none that Parquet can hold,
    holds texts: what is no text as JSON.

    Returns:
        Such columns.

    Raises:
        OSError: it cannot be written.
    """
    types = _types(lines)
    while (odd := _written(lines, file, types)) is not None:
        types[odd] = None
    return [name for name, found in types.items() if found is None]


def _types(lines: Path) -> "dict[str, pa.DataType | None]":
    """The type of each column, in order; None where its values have none in common."""
    types: dict[str, pa.DataType | None] = {}
    names: list[str] = []
    for rows in _groups(lines):
        for row in rows:
            _add(names, row)
        for name in names:
            found = _type([row.get(name) for row in rows])
            types[name] = _common(types[name], found) if name in types else found
    wholes = [(name, types[name]) for name in names]
    return {name: None if found is None else _whole(found) for name, found in wholes}


def _add(names: list[str], row: dict[str, Any]) -> None:
    """Puts what a row has more behind what stands before it there."""
    if row.keys() <= {*names}:
        return
    at = 0
    for name in row:
        if name in names:
            at = names.index(name)
        else:
            names.insert(at, name)
        at += 1


def _written(lines: Path, file: Path, types: "dict[str, pa.DataType | None]") -> str | None:
    """Writes the rows; or stops, and gives the column that has a value which is not of its type.

    That is an integer that no double stands for, among doubles.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, found or pa.string()) for name, found in types.items()])
    with pq.ParquetWriter(file, schema) as writer:
        for rows in _groups(lines):
            columns = []
            for name, found in types.items():
                values = [_value(row.get(name), found) for row in rows]
                try:
                    columns.append(pa.array(values, found or pa.string()))
                except (pa.ArrowException, ValueError, TypeError, OverflowError):
                    if found is None:
                        raise
                    return name
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return None


def _groups(lines: Path) -> Iterator[list[dict[str, Any]]]:
    with lines.open("rb") as file:
        while rows := [json.loads(line) for line in islice(file, _GROUP)]:
            yield rows


def _type(values: list[Any]) -> "pa.DataType | None":
    """The type that all have; None without one."""
    import pyarrow as pa

    try:
        return pa.array(values).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        return None


def _common(one: "pa.DataType | None", other: "pa.DataType | None") -> "pa.DataType | None":
    import pyarrow as pa

    if one is None or other is None:
        return None
    sides = [pa.schema([("it", side)]) for side in (one, other)]
    try:
        return pa.unify_schemas(sides, promote_options="permissive").field("it").type
    except (pa.ArrowException, ValueError, TypeError):
        return None


def _whole(found: "pa.DataType", depth: int = 0) -> "pa.DataType | None":
    """The type with texts where no value was seen; None for what Parquet's files cannot hold.

    That are objects without fields, and more levels than its readers take.
    """
    import pyarrow as pa

    if depth > _DEEPEST:
        return None
    if pa.types.is_null(found):
        return pa.string()
    if pa.types.is_list(found):
        inner = _whole(found.value_type, depth + 1)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_struct(found):
        parts = [(part.name, _whole(part.type, depth + 1)) for part in found]
        known = [(name, inner) for name, inner in parts if inner is not None]
        return pa.struct(known) if known and len(known) == len(parts) else None
    return found


def _value(value: Any, found: "pa.DataType | None") -> Any:
    if found is not None or value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
