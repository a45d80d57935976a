"""`sysgraph run --inputs FILE -o FILE`: many inputs, and every node's values as a file."""

import json
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import System, load_inputs
from sysgraph.cli.answers import write_answers

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
    rows = [{"prompt": f"é {i}", "id": i, "answer": "the row's own"} for i in range(80)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_every_row_is_sampled_as_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "g.yaml", "--inputs", "in.jsonl", "-o", "out.jsonl", "--seed", "3"]
    done = here(arguments, monkeypatch, capsys)
    assert done.code == 0
    written: list[dict[str, Any]] = [
        json.loads(line) for line in Path("out.jsonl").read_text("utf-8").splitlines()
    ]
    program = sysgraph.compile(sysgraph.load(Path("g.yaml")))
    system = System(program, device="cpu")
    assert len(written) == 80
    stopped = 0
    for row, answer in zip(load_inputs(program, "in.jsonl"), written, strict=True):
        assert answer["id"] == row["id"]
        assert answer["inputs"] == {"question": row["question"]}
        if "stopped" in answer:
            stopped += 1
            assert (answer["draft"][0], answer["answer"]) == ("3", None)
            continue
        (trace,) = system.sample(row, seed=3)
        assert answer["draft"] == [trace["draft[a]"], trace["draft[b]"]]
        assert answer["answer"] == trace["answer"]
    assert 0 < stopped < 80
    assert done.out.startswith(f"out.jsonl: 80 rows; {stopped} without an output (in.jsonl:")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inputs", "in.jsonl"], "needs an --output FILE"),
        (["--inputs", "in.jsonl", "-o", "o.jsonl", "--input", "question=q"], "one of them"),
        (["--inputs", "nosuch.jsonl", "-o", "o.jsonl"], "no such file"),
        (["--inputs", "in.jsonl", "-o", "no/o.jsonl"], "there is no folder no"),
        (["--inputs", "in.jsonl", "-o", "."], "it is a folder"),
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


def test_the_old_file_stays_until_the_new_one_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = sysgraph.compile(sysgraph.load(Path("g.yaml")))
    system, file = System(program, device="cpu"), folder / "out.jsonl"
    file.write_text("old")
    chunks = system.stream(rows := load_inputs(program, "in.jsonl"))
    first = next(chunks)

    def stream(*_: object, **__: object) -> Any:
        yield first
        raise KeyboardInterrupt

    monkeypatch.setattr(system, "stream", stream)
    with pytest.raises(KeyboardInterrupt):
        write_answers(system, rows, file)
    assert file.read_text() == "old"
