"""Rows of JSONL files, Parquet files and `datasets` names, each with the place it came from."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError

_SUFFIXES = (".jsonl", ".json", ".parquet")


@dataclass(frozen=True)
class Row:
    """One row and where it stands (`pairs.jsonl:3`)."""

    place: str
    fields: Mapping[str, Any]
    folder: Path
    """Relative file paths in the row start here."""


def read_rows(source: str | Path) -> list[Row]:
    """Every row of a file or dataset.

    Args:
        source: a `.jsonl` or `.parquet` file; else a `datasets` name or folder, of which the split
            `train` is read (`name:split` for another).

    Raises:
        InputError: nothing can be read there.
        DataError: lines that are no JSON objects, all of them.
    """
    path = Path(source)
    if path.suffix.lower() not in _SUFFIXES and not path.is_file():
        return list(_from_datasets(str(source)))
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    rows = list(_parquet(path) if path.suffix.lower() == ".parquet" else _jsonl(path))
    if not rows:
        raise InputError(f"{path} has no rows")
    return rows


def _jsonl(path: Path) -> Iterator[Row]:
    problems = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            problems.append(
                f"{place}:{error.colno}: no JSON ({error.msg}); expected an object a line"
            )
            continue
        if isinstance(fields, dict):
            yield Row(place, fields, path.parent)
        else:
            problems.append(f"{place}: {type(fields).__name__} where a JSON object is expected")
    if problems:
        raise DataError(problems)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file: {error}") from error
    for number, fields in enumerate(table.to_pylist(), start=1):
        yield Row(f"{path}:{number}", fields, path.parent)


def _from_datasets(name: str) -> Iterator[Row]:
    import datasets

    path, _, split = name.partition(":")
    try:
        if (Path(path) / "state.json").is_file() or (Path(path) / "dataset_dict.json").is_file():
            loaded = datasets.load_from_disk(path)
            found = loaded[split or "train"] if isinstance(loaded, datasets.DatasetDict) else loaded
        else:
            found = datasets.load_dataset(path, split=split or "train")
    except Exception as error:  # the library raises OSError, ValueError, its own and hub errors
        raise InputError(
            f"cannot read {name!r}: it is no .jsonl or .parquet file, and as a dataset: {error}"
        ) from error
    for number, fields in enumerate(found, start=1):
        yield Row(f"{name}:{number}", fields, Path(path))
