"""A corpus: a JSONL file of `{"id": ..., "text": ...}`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sysgraph_schemas.visible import half_character

from ..support.errors import DataError, InputError
from ..tools.files import read

_LARGEST = 1 << 30
"""Bytes of a corpus."""
_LONGEST = 1 << 20
"""Bytes of one line."""


def texts_of(file: Path) -> list[str]:
    """The texts of a corpus, in its order.

    Raises:
        DataError: lines are no such objects, or two have one id; all of them, with file:line.
        InputError: it is no file, is too big, or has no lines.
    """
    if not file.is_file():
        raise InputError(f"{file} is no file: expected JSONL, a {{id, text}} a line")
    texts: list[str] = []
    seen: dict[str, int] = {}
    problems: list[str] = []
    for number, line in _lines(file):
        found = _text(line, number, seen)
        if isinstance(found, str):
            texts.append(found)
        else:
            problems += [f"{file}:{number}: {problem}" for problem in found]
    if problems:
        raise DataError(problems)
    if not texts:
        raise InputError(f"{file} has no lines: expected a {{id, text}} each")
    return texts


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(read(file, _LARGEST).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _text(line: bytes, number: int, seen: dict[str, int]) -> str | list[str]:
    """The text of a line; or what is wrong with it."""
    if len(line) > _LONGEST:
        return [f"{len(line):,} bytes in one line; expected at most {_LONGEST:,}"]
    try:
        row: Any = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        return [f"no UTF-8 text: byte {error.start + 1}"]
    except (ValueError, RecursionError) as error:
        return [f"no JSON: {error}"]
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return ['expected {"id": "...", "text": "..."}']
    if not row["text"].strip() or half_character(row["text"]) is not None:
        return ["its text is empty" if not row["text"].strip() else "half of a character in it"]
    name = row.get("id")
    if name is not None:
        if isinstance(name, bool) or not isinstance(name, str | int):
            return [f"its id is {name!r:.60}; expected a text or a number"]
        first = seen.setdefault(str(name), number)
        if first != number:
            return [f"the id {name!r:.60} is that of line {first}, too"]
    return str(row["text"])
