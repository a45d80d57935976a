"""`sysgraph run`, as a process where it answers, in this one where it refuses."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from sysgraph.cli import main

from .test_check import sysgraph

GRAPH = """
sysgraph: 1
name: gate
models:
  m: {kind: table, values: ["1, é", junk], contexts: [good, bad], probs: [[1, 0], [0, 1]]}
  n: {kind: table, values: ["two\\nlines"]}
parsers:
  items: {kind: split, min_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  hint: {kind: input}
  raw: {kind: lm, for_each: {k: [x, y]}, model: m, prompt: "{{ question }}"}
  parts: {kind: parse, for_each: {k: [x, y]}, parser: items}
  answer: {kind: lm, model: n, prompt: "{{ hint }}{% for p in parts %}{{ p | join }}{% endfor %}"}
edges: [question -> raw, raw -> parts, "hint, parts -> answer"]
outputs: [answer]
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def graph(tmp_path: Path) -> str:
    path = tmp_path / "gate.yaml"
    path.write_text(GRAPH, encoding="utf-8")
    return str(path)


def here(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Done:
    """The whole command in this process: torch is imported once."""
    monkeypatch.setattr("sys.argv", ["sysgraph", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return Done(int(caught.value.code or 0), *capsys.readouterr())


def test_text(graph: str) -> None:
    done = sysgraph("run", graph, "--input", "question=good", "--input", "hint=a=b")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "question: good\nhint: a=b\n"
        "raw[x]: 1, é\nraw[y]: 1, é\n"
        "parts[x]:\n- 1\n- é\nparts[y]:\n- 1\n- é\n"
        "answer (output):\ntwo\nlines\n"
    )


def test_json(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(
        ["run", graph, "--input", "question=bad", "--input", "hint=", "--format", "json"],
        monkeypatch,
        capsys,
    )
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "inputs": {"question": "bad", "hint": ""},
        "raw": ["junk", "junk"],
        "parts": [None, None],
        "answer": None,
    }


def test_what_was_rejected_is_said(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(["run", graph, "--input", "question=bad", "--input", "hint=h"], monkeypatch, capsys)
    assert done.code == 0
    said = "(nothing: parser 'items' (split): 1 items, at least 2 wanted)"
    assert f"parts[x]: {said}" in done.out
    assert "answer (output): (nothing: parts[x], parts[y] have no value)" in done.out


def test_every_wrong_input_at_once(graph: str) -> None:
    given = ["--input", "qestion=x", "--input", "hint=1", "--input", "hint=2", "--input", "zap"]
    done = sysgraph("run", graph, *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: --input qestion: the graph has no such input; did you mean `question`? the inputs "
        "are: question, hint",
        "error: --input hint is given twice; expected once",
        "error: --input 'zap': expected NAME=TEXT, NAME one of question, hint",
        'error: missing --input question="..."',
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "yaml"], "'yaml' is not one of 'text', 'json'"),
        (["--model-dir", "no/such/run"], "no/such/run holds no trained models"),
        (["--seed", "one"], "Invalid value for '--seed'"),
        (["--set", "nodes.answer.modle=m"], "modle"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    said: str,
    graph: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inputs = ["--input", "question=good", "--input", "hint=h"]
    done = here(["run", graph, *inputs, *arguments], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_context_that_no_table_has(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = here(
        ["run", graph, "--input", "question=goof", "--input", "hint=h"], monkeypatch, capsys
    )
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: raw[x]: table 'm' has no row for the context 'goof'; did you mean `good`? its "
        "contexts are: good, bad\n"
    )


def test_a_graph_with_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors of the file's shape and of its meaning are told together."""
    path = tmp_path / "bad.yaml"
    path.write_text(GRAPH.replace("question -> raw", "qestion -> raw").replace("name:", "nmae:"))
    done = here(["run", str(path), "--input", "question=q"], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert "nmae" in done.err
    assert "qestion" in done.err


def test_a_folder_for_images_that_none_draws(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = ["--input", "question=good", "--input", "hint=h"]
    done = here(["run", graph, *inputs, "-o", "images"], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --output is for images, and this system draws none\n"


def test_an_argument_that_is_no_utf8(
    graph: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", graph, "--input", "question=caf\udce9", "--input", "hint=x"]
    done = here(arguments, monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert r"--input question: 'caf\udce9' is no UTF-8" in done.err
