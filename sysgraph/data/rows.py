"""Rows of JSONL files, Parquet files and `datasets` names, each with the place it came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError, InputError
from .columns import no_file, read_dataset, read_parquet
from .jsonl import read_jsonl

_SUFFIXES = (".jsonl", ".json", ".parquet")

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One row and where it stands (`pairs.jsonl:3`); `problem` says why it has no fields."""

    place: str
    fields: Mapping[str, Any]
    problem: str | None = None


def read_rows(source: str | Path) -> list[Row]:
    """Every row of a file or dataset.

    Args:
        source: a `.jsonl` or `.parquet` file; else a `datasets` name or folder, of which the split
            `train` is read (`name:split` for another).

    Raises:
        InputError: nothing can be read there.
    """
    path = Path(source)
    if path.is_file() or path.suffix.lower() in _SUFFIXES:
        rows = list(_file(path))
    else:
        found = enumerate(read_dataset(str(source)), start=1)
        rows = [Row(f"{source}:{number}", fields) for number, fields in found]
    if not rows:
        raise InputError(f"{source} is empty; expected at least one row")
    return rows


def _file(path: Path) -> Iterator[Row]:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file")
    if not path.is_file():
        raise InputError(no_file(path))
    if path.suffix.lower() == ".parquet":
        for number, fields in enumerate(read_parquet(path), start=1):
            yield Row(f"{path}:{number}", fields)
        return
    for number, found in read_jsonl(path):
        place = f"{path}:{number}"
        yield Row(place, {}, found) if isinstance(found, str) else Row(place, found)


def convert(rows: Iterable[Row], read: Callable[[Row, list[str]], T | None]) -> list[T]:
    """What `read` makes of every row.

    Args:
        read: is given a row and a list that it appends what is wrong with the row to.

    Raises:
        DataError: rows are wrong; all of them, with everything that is wrong.
    """
    problems: list[str] = []
    out = []
    for row in rows:
        found = [row.problem] if row.problem else []
        value = None if found else read(row, found)
        problems += [f"{row.place}: {problem}" for problem in found]
        if value is not None:
            out.append(value)
    if problems:
        raise DataError(problems)
    return out
