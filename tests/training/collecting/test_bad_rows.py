"""A row that cannot be answered is named before anything is written, or stops one trace alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import (
    Completion,
    DataError,
    InputError,
    Program,
    RunError,
    Scorer,
    System,
    Trace,
    evaluate,
    fit,
    load_inputs,
)
from sysgraph.system.answerable import require_answerable

from .digits import QUIET, lines

# A table has no row for a context that it does not list: as a window has none for a longer prompt.
GRAPH = """
sysgraph: 1
name: g
models:
  m: {kind: table, values: ["1", "2", "3"], contexts: [a, b]}
  n: {kind: table, values: ["1", "2"], contexts: ["1", "2"]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: lm, model: n, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> answer]
outputs: [answer]
fit: {steps: 1, batch_size: 2, eval_fraction: 0, rounds: 1, inputs: x, scorer: attributes}
"""


def score(trace: Trace) -> float:
    """A plain function is a scorer."""
    return float(trace.output())


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    def write(*questions: str) -> Path:
        path = tmp_path / "rows.jsonl"
        # Blank lines: a place is the file's line, not the row's number.
        path.write_text("".join("\n" + json.dumps({"question": q}) + "\n" for q in questions))
        return path

    return write


def test_inputs_are_checked_before_anything_is_written(
    rows: Callable[..., Path], tmp_path: Path
) -> None:
    source = rows("a", "c", "b", "")
    out = tmp_path / "out"
    graph = sysgraph.load(GRAPH.replace("inputs: x", f"inputs: {json.dumps(str(source))}"))
    system = System(sysgraph.compile(graph), device="cpu")

    def collect() -> object:
        return sysgraph.collect(graph, source, output=out, scorer=score, reporter=QUIET)

    def train() -> object:
        return fit(graph, output=out, scorer=score, reporter=QUIET)

    def measure() -> object:
        return evaluate(system, load_inputs(system.program, source), score)

    for call in (collect, train, measure):
        with pytest.raises(DataError) as caught:
            call()
        assert [problem.partition(": table")[0] for problem in caught.value.problems] == [
            f"{source}:4: draft",
            f"{source}:8: draft",
        ]
        assert not out.exists()


def test_rows_that_the_scorer_refuses(rows: Callable[..., Path], tmp_path: Path) -> None:
    source = rows("a", "b")
    with pytest.raises(DataError, match=f"{source}:2: scorer 'attributes': .*'a'"):
        sysgraph.collect(sysgraph.load(GRAPH), source, output=tmp_path / "out", scorer="attributes")
    assert not (tmp_path / "out").exists()


def test_what_sampling_leads_to_stops_one_trace(rows: Callable[..., Path], tmp_path: Path) -> None:
    """The draft `3` has no answer; the others go on, and it is no side of a pair."""
    graph = sysgraph.load(GRAPH)
    out = tmp_path / "out"
    arguments: dict[str, Any] = {"output": out, "scorer": score, "samples": 12, "reporter": QUIET}
    found = sysgraph.collect(graph, rows("a", "b"), **arguments)
    traces = lines(out / "traces.jsonl")
    stopped = [row for row in traces if row["values"]["draft"] == "3"]
    assert 0 < len(stopped) == found.stopped == found.failed < len(traces) == 24
    assert all("answer: table 'n' has no row" in row["stopped"] for row in stopped)
    assert all(row["score"] is None for row in stopped)
    assert found.why.startswith("input 1: answer: table 'n'")
    assert found.pairs > 0
    sides = [pair[side] for pair in lines(found.file) for side in ("chosen", "rejected")]
    assert all(side["answer"] is not None for side in sides)
    before = (out / "traces.jsonl").read_bytes(), found.file.read_bytes()
    assert sysgraph.collect(graph, rows("a", "b"), **arguments) == found  # it has finished
    assert before == ((out / "traces.jsonl").read_bytes(), found.file.read_bytes())


def test_sampling_one_s_own_inputs_raises(rows: Callable[..., Path]) -> None:
    system = System(sysgraph.compile(sysgraph.load(GRAPH)), device="cpu")
    with pytest.raises(InputError, match="answer: table 'n' has no row"):
        system.sample({"question": "a"}, n=12)


def test_a_scorer_that_raises_names_the_row(rows: Callable[..., Path], tmp_path: Path) -> None:
    def picky(trace: Trace) -> float:
        return 1 / (trace.inputs["question"] != "b")

    graph = sysgraph.load(GRAPH.replace('values: ["1", "2", "3"]', 'values: ["1", "2"]'))
    source = rows("a", "b")
    with pytest.raises(RunError, match="'picky' raised ZeroDivisionError") as caught:
        sysgraph.collect(graph, source, output=tmp_path / "out", scorer=picky, reporter=QUIET)
    assert f"({source}:4: question='b')" in str(caught.value)


def test_functions_score_wherever_scorers_do() -> None:
    trace = Trace({"question": "q"}, {"answer": Completion("2")}, ("answer",))
    as_scorer = sysgraph.measuring.scorers.as_scorer
    assert as_scorer(score)([trace]) == [2.0]
    assert as_scorer(score).name == "score"
    same = Scorer("mine", lambda traces: [1.0])
    assert as_scorer(same) is same


def test_rows_instead_of_files(tmp_path: Path) -> None:
    graph = sysgraph.load(GRAPH)
    found = sysgraph.collect(
        graph, [{"prompt": "a"}], output=tmp_path / "c", scorer=score, samples=8, reporter=QUIET
    )
    pairs = lines(found.file)
    data = [{key: row[key] for key in ("inputs", "chosen", "rejected")} for row in pairs]
    graph = sysgraph.load(GRAPH.replace("m: {kind: table,", "m: {kind: table, train: frozen,"))
    run = fit(graph, data=data, output=tmp_path / "run", reporter=QUIET)
    assert (run.folder / "models").is_dir()
    assert fit(graph, data=data, output=tmp_path / "run", resume=True, reporter=QUIET) == run
    with pytest.raises(DataError, match="row 1: no 'rejected'"):
        fit(graph, data=[{"chosen": "x"}], output=tmp_path / "no", reporter=QUIET)
    with pytest.raises(InputError, match="expected a mapping"):
        fit(graph, data=["pairs.jsonl"], output=tmp_path / "no", reporter=QUIET)  # type: ignore[list-item]
    with pytest.raises(InputError, match="3 gives no rows; expected rows, or the name of a file"):
        fit(graph, data=3, output=tmp_path / "no", reporter=QUIET)  # type: ignore[arg-type]


def test_a_branch_that_may_not_run_is_not_asked_about() -> None:
    text = """
sysgraph: 1
name: g
models:
  r: {kind: table, values: [yes, no]}
  m: {kind: table, values: [x], contexts: [a]}
nodes:
  question: {kind: input}
  route: {kind: choice, model: r, options: [yes, no], prompt: ""}
  answer: {kind: lm, model: m, prompt: "{{ question }}", when: {route: [yes]}}
  other: {kind: lm, model: m, prompt: "a"}
edges: [question -> route, "question, route -> answer", question -> other]
outputs: [other]
"""
    program: Program = sysgraph.compile(sysgraph.load(text))
    require_answerable(System(program, device="cpu"), [{"question": "unlisted"}], "rows")
