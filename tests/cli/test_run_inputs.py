"""`sysgraph run --inputs FILE -o FILE`: many inputs, and the answers as a file."""

import json
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import System, load_inputs
from sysgraph.system import occurrences_of

from .test_run import here

GRAPH = """
sysgraph: 1
name: g
models:
  m: {kind: table, values: ["1", "2", "3"]}
  n: {kind: table, values: ["x", "y"], contexts: ["1", "2"]}
nodes:
  question: {kind: input}
  draft: {kind: lm, for_each: {k: [a, b]}, model: m, prompt: "{{ question }}"}
  answer: {kind: lm, model: n, prompt: "{{ draft[0] }}"}
edges: [question -> draft, draft -> answer]
outputs: [answer]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(GRAPH)
    rows = [{"prompt": f"é {i % 75}", "id": i, "answer": "the row's own"} for i in range(80)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("broken.jsonl").write_text('{"question": "q"}\n{oops\n')
    Path("other.jsonl").write_text('{"q": "q"}\n')
    Path("d.jsonl").mkdir()
    return tmp_path


def rows_of(file: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]


def test_every_row_is_sampled_as_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "g.yaml", "--inputs", "in.jsonl", "--seed", "3", "-o"]
    done = here([*arguments, "all.jsonl", "--all-values"], monkeypatch, capsys)
    assert done.code == 1
    assert here([*arguments, "out.jsonl"], monkeypatch, capsys).code == 1
    program = sysgraph.compile(sysgraph.load(Path("g.yaml")))
    system = System(program, device="cpu")
    given, written = load_inputs(program, "in.jsonl"), rows_of("all.jsonl")
    assert len(written) == len(given) == 80
    failed = 0
    for row, answer, before in zip(given, written, occurrences_of(program, given), strict=True):
        assert answer["id"] == row["id"]
        assert answer["inputs"] == {"question": row["question"], "answer": "the row's own"}
        if answer["error"] is not None:
            failed += 1
            assert (answer["draft"][0], answer["answer"]) == ("3", None)
            continue
        (trace,) = system.sample(row, seed=3, occurrences=[before])
        assert answer["draft"] == [trace["draft[a]"], trace["draft[b]"]]
        assert answer["answer"] == trace["answer"]
    assert 0 < failed < 80
    assert done.out == "all.jsonl: 80 rows\n"
    assert f"error: {failed} of 80 rows failed, the first: in.jsonl:" in done.err
    for full, row in zip(written, rows_of("out.jsonl"), strict=True):
        assert row == {key: value for key, value in full.items() if key != "draft"}
    again = load_inputs(program, "out.jsonl")
    assert [{**row, "error": None} for row in given] == [{**row, "error": None} for row in again]
    assert again[0].keys() - given[0].keys() == {"error"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inputs", "in.jsonl"], "needs an --output FILE"),
        (["--inputs", "in.jsonl", "-o", "o.jsonl", "--input", "question=q"], "one of them"),
        (["--inputs", "nosuch.jsonl", "-o", "o.jsonl"], "no such file"),
        (
            ["--inputs", "in.jsonl", "-o", "no/o.jsonl"],
            "cannot write no/o.jsonl: there is no folder",
        ),
        (["--inputs", "in.jsonl", "-o", "d.jsonl"], "it is a folder"),
        (["--inputs", "in.jsonl", "-o", "o.csv"], "ends in .jsonl or .parquet"),
        (["--inputs", "in.jsonl", "-o", "in.jsonl"], "in.jsonl exists: add --overwrite"),
        (["--inputs", "in.jsonl", "-o", "o.jsonl", "--resume"], "nothing to resume"),
        (["--inputs", "in.jsonl", "-o", "o.jsonl", "--workers", "9"], "no model of this graph is"),
        (["--inputs", "broken.jsonl", "-o", "o.jsonl"], "broken.jsonl:2: broken JSON at column 2"),
        (["--inputs", "other.jsonl", "-o", "o.jsonl"], "other.jsonl:1: question: missing"),
        (["--input", "question=q", "--resume"], "--resume: needs --inputs FILE"),
        ([], 'missing --input question="..."'),
    ],
)
def test_refused(
    arguments: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(folder.rglob("*"))
    done = here(["run", "g.yaml", *arguments], monkeypatch, capsys)
    assert done.code == 2
    assert said in done.err
    assert sorted(folder.rglob("*")) == before
