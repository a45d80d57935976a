"""`sysgraph eval`: the score, as text and as JSON, and what it refuses."""

import json
from pathlib import Path

import pytest

from .test_check import sysgraph
from .test_run import here

GRAPH = """
sysgraph: 1
name: sure
models: {m: {kind: table, values: [red cube tiny, none], probs: [[0.5, 0.5]]}}
parsers: {answer: {kind: regex, pattern: "red.*", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: answer}
edges: [question -> raw, raw -> answer]
outputs: [answer]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.yaml").write_text(GRAPH)
    (tmp_path / "in.jsonl").write_text('{"question": "what is bar fam hak ?"}\n' * 40)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("no run")
    return tmp_path


def test_a_process_prints_strict_json(folder: Path) -> None:
    options = ["--inputs", "in.jsonl", "--scorer", "attributes", "--format", "json"]
    done = sysgraph("eval", "g.yaml", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["scorer"] == "attributes"
    assert found["score"]["mean"] == 3
    assert found["score"]["half_width"] == 0
    assert found["score"]["n"] == 40 - round(40 * found["failed"])
    assert found["perfect"]["mean"] == pytest.approx(1 - found["failed"])
    assert 0.2 < found["failed"] < 0.8


def test_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    options = ["--inputs", "in.jsonl", "--scorer", "attributes", "--best-of", "20"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert (done.code, done.out) == (
        0,
        "attributes 3.000 ± 0.000, perfect 1.000 ± 0.000\n",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            [],
            "error: no inputs to answer: give --inputs, or set fit.eval_inputs\n"
            "error: no scorer: give --scorer, or set fit.scorer\n",
        ),
        (["--inputs", "in.jsonl", "--scorer", "atributes"], "did you mean `attributes`?"),
        (["--inputs", "inn.jsonl", "--scorer", "attributes"], "no such file: inn.jsonl; did you"),
        (["--inputs", "g.yaml", "--scorer", "attributes"], "g.yaml is no JSON Lines"),
        (
            ["--inputs", "in.jsonl", "--scorer", "attributes", "--model-dir", "run"],
            "no trained models",
        ),
        (["--inputs", "in.jsonl", "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        (["--inputs", "in.jsonl", "--best-of", "0"], "Invalid value for '--best-of'"),
    ],
)
def test_wrong_input(
    options: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_rows_without_inputs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jsonl").write_text('{"question": 1}\n{\n')
    monkeypatch.chdir(folder)
    options = ["--inputs", "bad.jsonl", "--scorer", "attributes"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert done.code == 2
    assert [line[:18] for line in done.err.splitlines()] == [
        "error: bad.jsonl:1",
        "error: bad.jsonl:2",
        "2 problems in the ",
    ]


def test_a_scorer_that_does_not_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.jsonl").write_text('{"question": "who?"}\n' * 9)
    monkeypatch.chdir(folder)
    options = ["--inputs", "other.jsonl", "--scorer", "attributes"]
    done = here(["eval", "g.yaml", *options], monkeypatch, capsys)
    assert done.code == 2
    assert done.err.startswith("error: scorer 'attributes': no entity of the world 'specialists'")
