"""`sysgraph study` on the command line: a table, or JSON, and how it exits."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph import cli

GRAPH = """
sysgraph: 1
name: twins
models:
  a_model_with_quite_a_long_name_that_must_be_read: {kind: table, values: [a, b]}
  n: {kind: table, values: [a, b]}
nodes:
  x: {kind: input}
  left: {kind: lm, model: a_model_with_quite_a_long_name_that_must_be_read, prompt: "{{ x }}"}
  right: {kind: lm, model: n, prompt: "{{ x }}"}
edges: ["x -> left, right"]
outputs: [left, right]
fit:
  inputs: inputs.jsonl
  eval_inputs: inputs.jsonl
  scorer: letters
  rounds: 1
  samples: 3
  steps: 3
  eval_fraction: 0
"""
SCORER = """
from sysgraph import Scorer
from sysgraph.measuring.scorers import Success
letters = Scorer(
    "letters",
    lambda ts: [float(t.output().count("a")) for t in ts],
    perfect=2,
    success=Success("says b", lambda t: "b" in t.output()),
)
"""

Sysgraph = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sysgraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Sysgraph:
    """The command line, in a folder with graph.yaml, where the scorer `letters` is installed."""
    monkeypatch.chdir(tmp_path)
    Path("graph.yaml").write_text(GRAPH)
    Path("inputs.jsonl").write_text('{"x": "hi"}\n{"x": "you"}\n')
    about = tmp_path / "plugin" / "letters-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: letters\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[sysgraph.scorers]\nletters = letters_scorer:letters\n"
    )
    (tmp_path / "plugin" / "letters_scorer.py").write_text(SCORER)
    monkeypatch.syspath_prepend(str(tmp_path / "plugin"))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sysgraph", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def test_a_table_and_json(sysgraph: Sysgraph) -> None:
    code, out, _ = sysgraph("study", "graph.yaml", "--seeds", "2")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].strip() == "twins: letters on inputs.jsonl, 2 seeds, mean [95 %]"
    assert lines[-1] == "written to runs/twins-study/study.json"
    assert "joint: all trained at once on one loss of the system (SysDPO-Direct)" in lines
    assert "says b" in lines[2]
    assert "vs before" in out
    assert "no output" not in out, "every sample has one"
    assert "vs reference" not in out, "no input has a field `reference`"
    name = "a_model_with_quite_a_long_name_that_must_be_read alone"
    for row in ("before", "best of 3", name, "n alone", "separate", "per node", "joint"):
        (line,) = [line for line in lines if line[1:].strip().startswith(f"{row} ")]
        columns = 3 if row == "before" else 4
        cells = [cell.strip() for cell in line.split("│")[2:-1]]
        told = [cell for cell in cells if re.fullmatch(r"\d\.\d{3}( \[.+, .+\])?", cell)]
        assert len(told) == columns, "score, perfect, says b, vs before: none is cut"
    saved = json.loads(Path("runs/twins-study/study.json").read_text())
    assert f"{saved['rows'][0]['score']['mean']:.3f}" in out

    code, out, _ = sysgraph("study", "graph.yaml", "--seeds", "2", "--format", "json")
    assert code == 0
    assert json.loads(out) == saved


CHAIN = """
sysgraph: 1
name: chain
models:
  m: {kind: table, values: [a, b]}
  n: {kind: table, values: [a, b], contexts: [a, b], probs: [[0.9, 0.1], [0.2, 0.8]]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: m, prompt: "{{ x }}"}
  z: {kind: lm, model: n, prompt: "{{ y }}"}
edges: [x -> y, y -> z]
outputs: [z]
fit: {inputs: inputs.jsonl, eval_inputs: inputs.jsonl, scorer: letters, observed: [z], anchor: 0.1,
      rounds: 1, samples: 3, steps: 3, eval_fraction: 0}
"""


def test_samplers_and_a_judge(sysgraph: Sysgraph) -> None:
    Path("chain.yaml").write_text(CHAIN)
    Path("inputs.jsonl").write_text('{"x": "hi", "reference": "b"}\n{"x": "you"}\n')
    arguments = ("study", "chain.yaml", "--seeds", "1", "--compare", "samplers")
    code, out, _ = sysgraph(*arguments, "--judge", "scorer:letters")
    assert code == 0
    lines = out.splitlines()
    for column in ("score", "vs reference", "vs before", "drawn", "distinct", "mass covered"):
        assert column in lines[2]
    assert [line for line in lines if line[1:].strip().startswith("ancestral 8 ")]
    assert lines[-1] == "written to runs/chain-study/samplers.json"
    saved = json.loads(Path("runs/chain-study/samplers.json").read_text())
    assert saved["judge"] == "letters"
    assert Path("runs/chain-study/samplers-curves.svg").is_file()


def test_failed_trainings_are_named_at_the_end(sysgraph: Sysgraph) -> None:
    never = ("--set", "models.n.probs=[[1.0, 0.0]]", "--seeds", "1")
    code, out, err = sysgraph("study", "graph.yaml", "-o", "study", *never)
    assert code == 1
    assert "n alone (0 of 1)" in out
    assert "joint (0 of 1)" not in out, "the other model learns there"
    assert "error: 2 measurement(s) failed:" in err
    assert "n alone, seed 0: nothing was learned. n was to be trained, and no step gave it" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "xml"),
        ("--seeds", "0"),
        ("--compare", "models"),
        ("--compare", "samplers"),
        ("--judge", "scorer:leters"),
        ("--set", "fit.scorer=leters"),
        ("--set", "fit.eval_inputs=null"),
        ("-o", "."),
    ],
)
def test_wrong_input_starts_nothing(
    sysgraph: Sysgraph, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    def files() -> list[Path]:
        return sorted(f for f in tmp_path.rglob("*") if "__pycache__" not in f.parts)

    before = files()
    code, out, err = sysgraph("study", "graph.yaml", *arguments)
    assert (code, out) == (2, "")
    assert err
    assert files() == before


VERIFIED = """
sysgraph: 1
name: verified
models: {judge: {kind: table, values: ["pass a", "no"]}}
parsers: {let: {kind: regex, pattern: "pass (.)", on_failure: POLICY}}
nodes:
  x: {kind: input}
  verdict: {kind: lm, model: judge, prompt: "{{ x }}"}
  answer: {kind: parse, parser: let}
edges: [x -> verdict, verdict -> answer]
outputs: [answer]
fit: {inputs: inputs.jsonl, eval_inputs: inputs.jsonl, scorer: letters, rounds: 1, samples: 4,
      steps: 1, eval_fraction: 0}
"""


@pytest.mark.parametrize(
    ("policy", "column", "other"),
    [("reject", "no output", "abstained"), ("abstain", "abstained", "no output")],
)
def test_answers_that_are_not_there(
    policy: str, column: str, other: str, sysgraph: Sysgraph
) -> None:
    """In a column that says what became of them, and a line that says why."""
    Path("verified.yaml").write_text(VERIFIED.replace("POLICY", policy))
    Path("inputs.jsonl").write_text("".join(f'{{"x": "{i}"}}\n' for i in range(16)))
    code, out, _ = sysgraph("study", "verified.yaml", "--seeds", "1")
    assert code == 0
    lines = out.splitlines()
    assert column in lines[2]
    assert other not in lines[2]
    assert [line for line in lines if line.startswith(f"{column}: a parser or tool ")]
    code, out, _ = sysgraph("eval", "verified.yaml")
    assert code == 0
    assert {"reject": "without an output 0.", "abstain": "abstained 0."}[policy] in out
