"""Files that hold no rows are refused in one line, and a refused file starts nothing."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from sysgraph import DataError, InputError, Program
from sysgraph.cli import main
from sysgraph.data import columns, load_inputs, load_pairs

Programs = Callable[[str], Program]
Files = Callable[..., Path]

GOOD: dict[str, Any] = {
    "inputs": {"question": "q"},
    "chosen": {"draft": "d", "answer": "a"},
    "rejected": {"draft": "d", "answer": "b"},
}


def test_files_that_are_none(program: Programs, jsonl: Files, tmp_path: Path) -> None:
    jsonl(GOOD)
    (tmp_path / "latin.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xe9"}\n')
    (tmp_path / "empty.jsonl").write_text("\n \n")
    (tmp_path / "array.json").write_text(json.dumps([GOOD, GOOD], indent=2))
    (tmp_path / "object.json").write_text(json.dumps(GOOD, indent=2))
    (tmp_path / "table.csv").write_text("prompt,chosen\nq,a\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "nothing").mkdir()
    one = datasets.Dataset.from_list([GOOD])
    datasets.DatasetDict({"test": one}).save_to_disk(str(tmp_path / "saved"))
    expected = {
        "latin.jsonl": "latin.jsonl:2: byte 0xe9 is no UTF-8",
        "empty.jsonl": "is empty; expected at least one row",
        "array.json": "is a single JSON document (a list of 2); expected JSON Lines",
        "object.json": "is a single JSON document (an object); expected JSON Lines",
        "table.csv": "(it starts with 'prompt,chosen'); expected a .jsonl or a .parquet file",
        "torn.parquet": "cannot be read as a Parquet file",
        "folder.jsonl": "is a folder; expected a file",
        "nothing": "doesn't contain any data files",
        "pair.jsonl": f"no such file: {tmp_path}/pair.jsonl; did you mean {tmp_path}/pairs.jsonl?",
        "pairs.jsnl": f"no such file: {tmp_path}/pairs.jsnl; did you mean {tmp_path}/pairs.jsonl?",
        "pairs.jsonl:train[:50%]": f"{tmp_path}/pairs.jsonl is a file, which has no splits",
        "saved": f"has no split 'train'; it has test: choose one as {tmp_path}/saved:test",
        "saved:val": "has no split 'val'; it has test",
    }
    for name, message in expected.items():
        with pytest.raises(InputError) as caught:
            load_pairs(program("two"), tmp_path / name)
        assert message in str(caught.value), name


def test_toy_inputs_that_are_none(program: Programs) -> None:
    with pytest.raises(InputError, match="did you mean `toy:specialists/test`"):
        load_inputs(program("two"), "toy:specialists/tset")


def test_fit_writes_nothing(
    jsonl: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole command: exit code 2, every problem on stderr, and no folder of a run."""
    jsonl(
        GOOD, {**GOOD, "chosen": {"drft": "d", "draft": "d", "answer": "a"}}, "{", name="bad.jsonl"
    )
    (tmp_path / "g.yaml").write_text(
        """
sysgraph: 1
name: g
models: {a: {kind: causal_lm, id: ./there-is-no-such-model}}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: a, prompt: "{{ question }}"}
  answer: {kind: lm, model: a, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> answer]
outputs: [answer]
"""
    )
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["sysgraph", "fit", "g.yaml", "--data", "bad.jsonl"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: bad.jsonl:2: chosen.drft: no such node; did you mean 'draft'? expected draft, "
        "answer\n"
        "error: bad.jsonl:3: broken JSON at column 2 (Expecting property name enclosed in double "
        "quotes); expected one whole JSON object on this line\n"
        "2 problems in the data\n"
    )
    assert sorted(tmp_path.rglob("*")) == before


# ---- what is no file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/dev/zero", "cannot read /dev/zero: a device, not a file"),
        ("/dev/null", "cannot read /dev/null: a device, not a file"),
        ("pipe.parquet", "expected a Parquet file, not a pipe"),
        ("sparse.jsonl", r"sparse\.jsonl: 1,099,511,627,776 bytes; expected at most 1,073,741,824"),
        ("zeros", "zeros is no text: parts of it are zeros"),
    ],
)
def test_what_is_no_file_of_rows(name: str, said: str, program: Programs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    (tmp_path / "zeros").write_bytes(bytes(99))
    with (tmp_path / "sparse.jsonl").open("wb") as file:
        file.truncate(1 << 40)
    for load in (load_pairs, load_inputs):
        with pytest.raises(InputError, match=said):
            load(program("two"), tmp_path / name)


def test_rows_through_a_pipe(program: Programs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    rows = "".join(f'{{"question": "q{i}"}}\n' for i in range(5000))
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[rows])
    writer.start()
    found = load_inputs(program("two"), tmp_path / "pipe")
    writer.join()
    assert [row["question"] for row in found] == [f"q{i}" for i in range(5000)]


def test_a_small_file_of_many_rows(
    program: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text of a megabyte, stored once for 100,000 rows: 100 GB in memory."""
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100_000), ["x" * 1_000_000])
    table = pyarrow.table({"question": column}, schema=pyarrow.schema({"question": column.type}))
    path = tmp_path / "bomb.parquet"
    pyarrow.parquet.write_table(table.replace_schema_metadata(None), path, store_schema=False)
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(columns, "MAX_BYTES", 100_000_000)
    with pytest.raises(InputError, match=r"bomb\.parquet holds more than .* bytes by its row "):
        load_inputs(program("two"), path)


@pytest.mark.parametrize("depth", [900, 100_000])
@pytest.mark.parametrize("shape", ["[]", '{"a":}'])
def test_a_row_that_is_too_deep(
    depth: int, shape: str, program: Callable[[str], Program], tmp_path: Path
) -> None:
    opening, closing = shape[:-1], shape[-1]
    deep = opening * depth + "1" + closing * depth
    file = tmp_path / "rows.jsonl"
    row = '{"question": "q", "chosen": "x", "rejected": "y", "deep": %s}\n'
    file.write_text(row % "[[[1]]]" + row % deep)
    for load in (load_pairs, load_inputs):
        with pytest.raises(DataError) as caught:
            load(program("one"), file)
        (problem,) = caught.value.problems
        assert problem.startswith(f"{file}:2: ")


@pytest.mark.parametrize("source", ["", " ", "\0", "a\0b", "x" * 300, "a/" + "x" * 5000])
def test_what_no_file_can_be_called(source: str, program: Callable[[str], Program]) -> None:
    for load in (load_pairs, load_inputs):
        with pytest.raises(InputError):
            load(program("one"), source)
