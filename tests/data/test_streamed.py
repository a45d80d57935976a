"""Rows that are read one by one are those that are read at once, with the same complaints."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sysgraph import InputError
from sysgraph.data.rows import Row, is_empty, read_rows, stream_rows

FILES = {
    "plain.jsonl": '{"a": 1}\n\n  \n{"a": "é"}\r\n{"a": 3}',
    "mark.jsonl": '\ufeff{"a": 1}\n',
    "broken.jsonl": '{"a": 1}\n{"a"\n[1]\n7\n{"a": NaN}\n{"a": "\\ud83d"}\n',
    "list.jsonl": "\n[1, 2]\n",
    "whole.json": '{\n"a": 1\n}\n',
    "array.json": '[{"a": 1},\n {"a": 2}]\n',
    "table.txt": "a,b\n1,2\n",
    "empty.jsonl": "\n",
    "latin.jsonl": '{"a": 1}\n{"a": "\udce9"}\n',
}


@pytest.mark.parametrize("name", [*FILES, "nosuch.jsonl"])
def test_json_lines(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name in FILES:
        file.write_bytes(FILES[name].encode("utf-8", "surrogateescape"))
    assert _outcome(stream_rows, file) == _outcome(read_rows, file)


def _outcome(read: Callable[[Path], Iterable[Row]], file: Path) -> object:
    """The rows, or the complaint; whoever reads rows one by one has to find that there are none."""
    try:
        return [*read(file)] or str(is_empty(file))
    except InputError as error:
        return str(error)


def test_zeros_are_no_line(tmp_path: Path) -> None:
    file = tmp_path / "hole.jsonl"
    with file.open("wb") as hole:
        hole.write(b'{"a": 1}\n')
        hole.truncate(1 << 40)
    with pytest.raises(InputError, match=r"hole\.jsonl:2: no text but zeros"):
        [*stream_rows(file)]
