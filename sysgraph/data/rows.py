"""Rows of JSONL files, Parquet files and `datasets` names, each with the place it came from."""

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..support.errors import DataError, InputError, RunError
from .columns import read_dataset, read_parquet, rows_of, stream_parquet
from .dataset_names import DatasetName, is_slice, no_file
from .images import ImageFiles
from .jsonl import read_jsonl, stream_jsonl
from .shards import pair_files
from .shown import kind

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


Source = str | Path | Iterable[Mapping[str, Any] | Row]
"""Where rows are from: the name of a file or dataset, or the rows themselves."""


def read_rows(source: Source) -> list[Row]:
    """Every row of a file, of several, or of a dataset; or rows as they are given.

    Args:
        source: a `.jsonl` or `.parquet` file, a pattern of such files (`pairs-*.jsonl`), or a
            folder that `collect` wrote; else a `datasets` name or folder, `NAME/CONFIG` for one of
            its configurations, of which the split `train` is read (`NAME:SPLIT` for another, also
            `train[:50%]`). Or rows: mappings, or a `datasets.Dataset`.

    Raises:
        InputError: nothing can be read there.
    """
    if not isinstance(source, str | Path):
        rows = _given(source)
    else:
        rows = [*_each(str(source), kept=True)]
    if not rows:
        raise is_empty(source)
    return rows


def stream_rows(source: str | Path) -> Iterator[Row]:
    """`read_rows` of a name, any number of them: few are in memory at a time.

    Raises:
        InputError: nothing can be read there, or from here on.
    """
    return _each(str(source), kept=False)


def is_pipe(source: str | Path) -> bool:
    """Whether it can be read once only."""
    path = Path(source)
    return _is_there(path) and not path.is_file()


def is_empty(source: Source) -> InputError:
    """The error about a source without rows."""
    return InputError(f"{called(source)} is empty; expected at least one row")


def called(source: Source) -> str:
    """What messages and records call a source."""
    return str(source) if isinstance(source, str | Path) else "the given rows"


def _each(source: str, *, kept: bool) -> Iterator[Row]:
    """The rows of a source; where they are `kept`, only so many as fit in memory."""
    try:
        yield from _read(source, kept=kept)
    except OSError as error:
        raise InputError(f"cannot read {source!r:.100}: {error.strerror}") from error


def _read(source: str, *, kept: bool) -> Iterator[Row]:
    if "\0" in source or not source.strip():
        raise InputError(f"no file can be called {source!r:.100}")
    files = _files(source)
    if not files:
        return _dataset(source)
    return (row for path in files for row in _file(path, kept=kept))


def _given(source: Iterable[Mapping[str, Any] | Row]) -> list[Row]:
    """Rows from Python; images are paths relative to the working directory."""
    found = rows_of(source) if hasattr(source, "with_format") else source
    if not isinstance(found, Iterable):
        raise InputError(f"{kind(found)} gives no rows; expected rows, or the name of a file")
    rows = []
    for number, fields in enumerate(found, start=1):
        if isinstance(fields, Row):  # read before
            rows.append(fields)
            continue
        if not isinstance(fields, Mapping):
            raise InputError(
                f"row {number}: {kind(fields)}; expected a mapping of a row's fields by name, or "
                "the name of a file"
            )
        rows.append(Row(f"row {number}", fields, ImageFiles(Path())))
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
    if not found and not is_slice(source):
        raise InputError(f"no file is called like {source}")
    return found


def _is_there(path: Path) -> bool:
    """Whether it is a file, or a pipe, or something that is told to be neither when it is read."""
    return path.exists() and not path.is_dir()


def _dataset(source: str) -> Iterator[Row]:
    name = DatasetName.parse(source)
    images = ImageFiles(Path(name.path) if name.local else Path())
    found = enumerate(read_dataset(name, source), start=1)
    return (Row(f"{source}:{number}", fields, images) for number, fields in found)


def _file(path: Path, *, kept: bool) -> Iterator[Row]:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file")
    if not _is_there(path):
        raise InputError(no_file(path))
    # Where a shell makes a pipe of `<(...)`, no images are.
    images = ImageFiles(path.parent if path.is_file() else Path())
    if path.suffix.lower() == ".parquet":
        if not path.is_file():
            raise InputError(f"cannot read {path}: expected a Parquet file, not a pipe")
        read = read_parquet if kept else stream_parquet
        for number, fields in enumerate(read(path), start=1):
            yield Row(f"{path}:{number}", fields, images)
        return
    for number, found in (read_jsonl if kept else stream_jsonl)(path):
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
        value = None
        if not found:
            try:
                value = read(row, found)
            except (InputError, RunError) as error:  # a tool or a template, on the row's values
                found.append(str(error))
        problems += [f"{row.place}: {problem}" for problem in found]
        if value is not None:
            out.append(value)
    if problems:
        raise DataError(problems)
    return out
