"""Rows of all kinds through `sysgraph run --inputs`, as JSON Lines and as Parquet."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sysgraph
from sysgraph import Program, RunError, System, ToolError
from sysgraph.cli.answers import Tally, write_answers
from sysgraph.cli.many import Manner
from sysgraph.data import parquet
from sysgraph.data.streamed import InputStream
from sysgraph.support.progress import Reporter

GRAPH = """
sysgraph: 1
name: hostile
models:
  m: {kind: table, values: ["1, 2", "3"], contexts: [good pair, good one], probs: [[1, 0], [0, 1]]}
parsers:
  pair: {kind: split, separator: ",", min_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  page:
    kind: tool
    tool: look
    args: {word: question}
    returns: record
    fields: {grade: {options: [good, bad]}, notes: {type: list}}
  raw: {kind: lm, model: m, prompt: "{{ page.grade }} {{ question }}"}
  items: {kind: parse, parser: pair}
edges: [question -> page, "question, page -> raw", raw -> items]
outputs: [items, page]
"""
PAGE = {"grade": "good", "notes": ["x"]}
WANTED: list[tuple[dict[str, Any], list[str] | None, dict[str, Any] | None, str]] = [
    ({"question": "pair", "id": 1, "items": "own"}, ["1", "2"], PAGE, ""),
    ({"question": "one", "id": 2}, None, PAGE, "items: .*2"),
    ({"question": "gone", "id": 3}, None, None, "tool .look. .*nothing is called gone"),
    ({"question": "beyond", "id": 4}, None, PAGE, "raw: table 'm' has no row"),
    ({"question": 7, "id": 5}, None, None, "question: expected a text, got 7"),
    ({"qestion": "pair", "id": 6}, None, None, "question: missing; .* a misspelling"),
    ({"inputs": {"question": "pair"}, "id": 7}, ["1", "2"], PAGE, ""),
]


def look(word: str) -> dict[str, Any]:
    if word == "gone":
        raise ToolError("nothing is called gone")
    return PAGE


def compiled() -> Program:
    return sysgraph.compile(sysgraph.load(GRAPH), tools={"look": look})


def answer(source: Path, file: Path, *, all_values: bool = False) -> Tally:
    program = compiled()
    tools = {"look": look}
    return write_answers(
        lambda: System(program, device="cpu", tools=tools),
        program,
        str(source),
        file,
        Manner(all_values=all_values),
        Reporter(),
    )


def test_bad_rows_say_why_and_the_others_are_answered(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row, *_ in WANTED))
    tally = answer(source, tmp_path / "out.jsonl")
    assert (tally.rows, tally.failed) == (7, 5)
    assert tally.first.startswith(f"{source}:2: items: ")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row, (given, items, page, why) in zip(rows, WANTED, strict=True):
        assert row["id"] == given["id"]
        assert (row["items"], row["page"]) == (items, page)
        assert "raw" not in row
        assert re.match(why, row["error"]) if why else row["error"] is None
    assert rows[0]["inputs"] == {"question": "pair", "items": "own"}
    assert rows[5]["qestion"] == "pair"


ODD = """
sysgraph: 1
name: odd
models:
  m: {kind: table, values: [a, b, c], contexts: [fine, odd], probs: [[0.5, 0.5, 0], [0, 0, 1]]}
nodes:
  question: {kind: input}
  verdict: {kind: choice, model: m, options: [a, b], prompt: "{{ question }}"}
edges: [question -> verdict]
outputs: [verdict]
"""


def test_a_row_on_which_a_model_fails_fails_alone(tmp_path: Path) -> None:
    source, file = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    program = sysgraph.compile(sysgraph.load(ODD))
    system = System(program, device="cpu")

    def answered(*questions: str) -> list[tuple[str | None, str | None]]:
        source.write_text("".join(json.dumps({"question": q}) + "\n" for q in questions))
        manner = Manner(overwrite=True)
        write_answers(lambda: system, program, str(source), file, manner, Reporter())
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        return [(row["verdict"], row["error"]) for row in rows]

    with pytest.raises(RunError, match=r"verdict: .*probability"):
        answered("odd", "odd")
    assert [*tmp_path.iterdir()] == [source]
    first, odd, last = answered("fine", "odd", "fine")
    two = system.sample([{"question": "fine"}] * 2)
    assert (first, last) == ((two[0]["verdict"], None), (two[1]["verdict"], None))
    assert odd[0] is None
    assert str(odd[1]).startswith("verdict: ")


@pytest.mark.parametrize("until", ["", "until: {verdict: ok}, "])
def test_of_a_loop_the_last_turn_is_the_output(until: str, tmp_path: Path) -> None:
    source, file = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    text = LOOP.replace("UNTIL", until)
    program = sysgraph.compile(sysgraph.load(text))
    source.write_text('{"question": "q"}\n{"question": "r"}\n')
    rows = []
    for all_values in (True, False):
        manner = Manner(all_values=all_values, overwrite=True)
        system = System(program, device="cpu")
        write_answers(lambda s=system: s, program, str(source), file, manner, Reporter())  # type: ignore[misc]
        rows.append([json.loads(line) for line in file.read_text().splitlines()])
    for full, row in zip(*rows, strict=True):
        assert row == {"inputs": full["inputs"], "draft": full["draft"][-1], "error": None}


LOOP = """
sysgraph: 1
name: loop
models:
  m: {kind: table, values: [a, b, c]}
  judge: {kind: table, values: [ok, again]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: m, prompt: "{{ question }}{{ draft }}"}
  verdict: {kind: choice, model: judge, options: [ok, again], prompt: "{{ draft }}"}
loops: {work: {nodes: [draft, verdict], UNTILrepeat: 3, carry: [draft -> draft]}}
edges: [question -> draft, draft -> verdict]
outputs: [draft]
"""


def test_parquet_holds_what_json_lines_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 2)
    flat = [row for row, *_ in WANTED if isinstance(row.get("question", ""), str)]
    given = [{**row, "picture": None} for row in flat if "inputs" not in row]
    source, table = tmp_path / "in.jsonl", tmp_path / "in.parquet"
    source.write_text("".join(json.dumps(row) + "\n" for row in given))
    pq.write_table(pa.Table.from_pylist([{**row, "picture": b"\x89PNG"} for row in given]), table)
    answer(source, tmp_path / "out.jsonl", all_values=True)
    answer(source, tmp_path / "out.parquet", all_values=True)
    answer(table, tmp_path / "again.jsonl", all_values=True)
    assert "field 'picture' of the inputs holds bytes" in capsys.readouterr().err
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    found = pq.read_table(tmp_path / "out.parquet")
    own = {row["inputs"].setdefault("items", None) and row["id"] for row in rows}
    assert own == {None, 1}
    assert found.to_pylist() == [{"qestion": None, **row} for row in rows]
    assert [*found.column_names][-5:] == ["inputs", "page", "raw", "items", "error"]
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 3
    program = compiled()
    for file in ("out.jsonl", "out.parquet", "again.jsonl"):
        read = [*InputStream(program, str(tmp_path / file))]
        assert [row.get("question") for row in read] == [r["inputs"]["question"] for r in rows]
        assert (read[0]["items"], read[0]["id"]) == ("own", 1), file


def test_columns_of_several_types_are_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 2)
    rows: list[dict[str, Any]] = [
        {"id": 1, "n": 1, "deep": {"a": [1]}, "empty": {}, "big": 2**70, "list": [], "x": [[1], 1]},
        {"id": "b", "n": 2.5, "deep": {"b": "t"}, "list": [], "x": None},
        {"id": None, "n": 2**60 + 1, "flag": True, "list": ["é"]},
        {"id": [3], "flag": 1, "float": 0.5},
        {"float": 2, "none": None},
    ]
    rows[4]["deep down"] = json.loads("[" * 90 + '{"a": 1}' + "]" * 90)
    lines, file = tmp_path / "rows.jsonl", tmp_path / "rows.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    odd = ["id", "n", "empty", "big", "x", "flag", "deep down"]
    assert sorted(parquet.write_parquet(lines, file)) == sorted(odd)
    table = pq.read_table(file)
    assert table.column("deep").to_pylist()[:2] == [{"a": [1], "b": None}, {"a": None, "b": "t"}]
    assert table.column("list").to_pylist() == [[], [], ["é"], None, None]
    assert table.column("float").to_pylist() == [None, None, None, 0.5, 2.0]
    assert table.column("none").type == pa.string()
    for name in odd:
        for value, row in zip(table.column(name).to_pylist(), rows, strict=True):
            was = row.get(name)
            assert value == was or json.loads(value) == was, name
