"""Rows of JSONL files, Parquet files and `datasets` names, each with the place it came from."""

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError, InputError
from .columns import no_file, read_dataset, read_parquet
from .images import ImageFiles
from .jsonl import read_jsonl
from .shards import pair_files

_SUFFIXES = (".jsonl", ".json", ".parquet")

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One row and where it stands (`pairs.jsonl:3`); `problem` says why it has no fields.

    `images` opens the images that it names.
    """

    place: str
    fields: Mapping[str, Any]
    images: ImageFiles
    problem: str | None = None


def read_rows(source: str | Path) -> list[Row]:
    """Every row of a file, of several, or of a dataset.

    Args:
        source: a `.jsonl` or `.parquet` file, a pattern of such files (`pairs-*.jsonl`), or a
            folder that `collect` wrote; else a `datasets` name or folder, of which the split
            `train` is read (`name:split` for another).

    Raises:
        InputError: nothing can be read there.
    """
    files = _files(str(source))
    rows = [row for path in files for row in _file(path)] if files else _dataset(str(source))
    if not rows:
        raise InputError(f"{source} is empty; expected at least one row")
    return rows


def _files(source: str) -> list[Path]:
    """The files that `source` stands for; none for a dataset."""
    path = Path(source)
    if _is_there(path) or (path.suffix.lower() in _SUFFIXES and not glob.has_magic(source)):
        return [path]
    if path.is_dir():
        return pair_files(path)
    if not glob.has_magic(source):
        return []
    found = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
    if not found:
        raise InputError(f"no file is called like {source}")
    return found


def _is_there(path: Path) -> bool:
    """Whether it is a file, or a pipe, or something that is told to be neither when it is read."""
    return path.exists() and not path.is_dir()


def _dataset(source: str) -> list[Row]:
    folder = Path(source.partition(":")[0])
    images = ImageFiles(folder if folder.is_dir() else Path())
    found = enumerate(read_dataset(source), start=1)
    return [Row(f"{source}:{number}", fields, images) for number, fields in found]


def _file(path: Path) -> Iterator[Row]:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file")
    if not _is_there(path):
        raise InputError(no_file(path))
    # Where a shell makes a pipe of `<(...)`, no images are.
    images = ImageFiles(path.parent if path.is_file() else Path())
    if path.suffix.lower() == ".parquet":
        if not path.is_file():
            raise InputError(f"cannot read {path}: expected a Parquet file, not a pipe")
        for number, fields in enumerate(read_parquet(path), start=1):
            yield Row(f"{path}:{number}", fields, images)
        return
    for number, found in read_jsonl(path):
        place = f"{path}:{number}"
        if isinstance(found, str):
            yield Row(place, {}, images, found)
        else:
            yield Row(place, found, images)


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
