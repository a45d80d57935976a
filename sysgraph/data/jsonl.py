"""JSON Lines: one object a line, and what is wrong with a line that holds none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from sysgraph_schemas.bounded import read_bounded

from ..support.errors import InputError
from .shown import kind

MAX_BYTES = 1 << 30
"""Bytes of a file of rows, all of which are in memory at a time."""

_MAX_LINE = 1 << 26
"""Bytes of a line of a file that is read line by line."""

Fields = dict[str, Any]

MAX_DEPTH = 100
"""Lists and objects inside one another: rows are copied, compared and written on."""


def read_jsonl(path: Path) -> Iterator[tuple[int, Fields | str]]:
    """(line number, the line's object or what is wrong with it); blank lines are skipped.

    Raises:
        InputError: the file as a whole is no JSON Lines.
    """
    try:
        content = read_bounded(path, MAX_BYTES, pipes=True)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if bytes(64) in content:  # a hole, perhaps of a gigabyte, that would be one line
        raise InputError(f"{path} is no text: parts of it are zeros; expected JSON Lines")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise _no_utf8(path, number, error) from error
    lines = text.split("\n")
    _refuse_other_formats(path, text, lines)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _fields(line)


def stream_jsonl(path: Path) -> Iterator[tuple[int, Fields | str]]:
    """`read_jsonl`, with one line in memory at a time; of a pipe, all of them.

    Raises:
        InputError: from here on, the file is no JSON Lines.
    """
    if not path.is_file():
        yield from read_jsonl(path)
        return
    started = False
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(_MAX_LINE + 1), b""), start=1):
            line = _text(path, number, raw)
            if not line.strip():
                continue
            if not started and (line.strip() == "{" or not line.lstrip().startswith("{")):
                yield from read_jsonl(path)  # it may be something else as a whole
                return
            started = True
            yield number, _fields(line)


def _text(path: Path, number: int, raw: bytes) -> str:
    """A line's text.

    Raises:
        InputError: it is none.
    """
    if bytes(64) in raw:
        raise InputError(f"{path}:{number}: no text but zeros; expected JSON Lines")
    if len(raw) > _MAX_LINE:
        raise InputError(f"{path}:{number}: a line of more than {_MAX_LINE:,} bytes")
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise _no_utf8(path, number, error) from error


def _no_utf8(path: Path, number: int, error: UnicodeDecodeError) -> InputError:
    return InputError(
        f"{path}:{number}: byte 0x{error.object[error.start]:02x} is no UTF-8; expected a JSON "
        "Lines file in UTF-8, or a Parquet file whose name ends in .parquet"
    )


def _refuse_other_formats(path: Path, text: str, lines: list[str]) -> None:
    """One message for a file that is something else as a whole, instead of one for every line."""
    start = next((line.strip() for line in lines if line.strip()), "")
    if (
        start
        and not start.startswith(("{", "["))
        and path.suffix.lower() not in (".json", ".jsonl")
    ):
        raise InputError(
            f"{path} is no JSON Lines (it starts with {start!r:.40}); expected a .jsonl or a "
            ".parquet file"
        )
    if not start.startswith("[") and start != "{":
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    raise InputError(
        f"{path} is a single JSON document ({kind(document)}); expected JSON Lines: one object a "
        "line, with no brackets or commas around them"
    )


def _fields(line: str) -> Fields | str:
    try:
        value = json.loads(line, parse_constant=_no_constant)
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return (
            f"broken JSON at column {error.colno} ({error.msg}); expected one whole JSON object on "
            "this line"
        )
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        return f"{half} is half of a character; expected text with both of its halves, or neither"
    except (ValueError, RecursionError) as error:
        return f"no JSON that can be read ({error}); expected one JSON object on this line"
    if not isinstance(value, dict):
        return f"{kind(value)}; expected a JSON object on this line"
    if line.count("[") + line.count("{") > MAX_DEPTH and _is_deep(value):
        return f"lists and objects inside one another, more than {MAX_DEPTH} deep; expected fewer"
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for outer in level
            if isinstance(outer, list | dict)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
