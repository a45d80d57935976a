"""Rows of systems whose loops end by themselves: turns as lists, or what the loop gave."""

from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import Trace
from sysgraph.data import load_pairs
from sysgraph.data.preferences import pair_row
from sysgraph.support.errors import DataError
from sysgraph.traces.presence import why_skipped

GRAPH = """
name: refine
models:
  m: {kind: table, values: [a, b]}
  c: {kind: table, values: [ok, bad]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: m, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: c, prompt: "{{ draft }}", options: [ok, bad]}
edges: [question -> draft, draft -> verdict]
loops:
  refine: {repeat: 3, until: {verdict: ok}, nodes: [draft, verdict], carry: [draft -> draft]}
outputs: [draft]
"""
WHOLE = {"draft": ["a", "b"], "verdict": ["bad", "ok"]}


def pair(chosen: Any, rejected: Any) -> Any:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    (found,) = load_pairs(
        program, [{"inputs": {"question": "q"}, "chosen": chosen, "rejected": rejected}]
    )
    return program, found


def test_turns_that_did_not_run_may_be_left_out(tmp_path: Path) -> None:
    program, found = pair(WHOLE, {"draft": ["b"], "verdict": ["ok"]})
    assert found.chosen["draft[last]"] == "b"
    assert found.chosen.nonexistent == {"draft[3]", "verdict[3]"}
    assert why_skipped(program.variable("draft[3]"), found.chosen) == (
        "verdict[2] is ok, and it runs where that is bad"
    )
    assert why_skipped(program.variable("draft[3]"), found.rejected) == (
        "refine ended before turn 3"
    )
    row = pair_row(program, found, tmp_path)
    assert row["chosen"] == {**WHOLE, "draft[last]": "b"}
    assert load_pairs(program, [row]) == [found]


def test_the_loops_result_alone_is_summed_over() -> None:
    program, found = pair("a", {"draft": "b"})
    assert isinstance(found.chosen, Trace)
    assert found.chosen.values == {"draft[last]": "a"}
    assert found.rejected.values == {"draft[last]": "b"}
    del program


def test_turns_after_the_last_are_refused() -> None:
    with pytest.raises(DataError, match=r"draft\[2\].*verdict\[1\] is ok"):
        pair({"draft": ["a", "b"], "verdict": ["ok", "ok"]}, WHOLE)
