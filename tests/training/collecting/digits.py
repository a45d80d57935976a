"""A system of tables that says a digit, which is its score, and the questions it is asked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sysgraph
from sysgraph import Scorer, Trace
from sysgraph.support.progress import Reporter

GRAPH = """
sysgraph: 1
name: g
models:
  m: {kind: table, values: ["é1", "2", "3", "none"]}
  n: {kind: table, values: ["a", "b"]}
parsers: {digit: {kind: regex, pattern: "[0-9]", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  digit: {kind: parse, parser: digit}
  answer: {kind: lm, model: n, prompt: "{{ digit }}"}
edges: [question -> raw, raw -> digit, digit -> answer]
outputs: [answer]
"""
GRAPH_OBJECT = sysgraph.load(GRAPH)
PROGRAM = sysgraph.compile(GRAPH_OBJECT)
QUIET = Reporter(shown=False)


def digits(traces: Sequence[Trace]) -> list[float]:
    return [float(str(trace["digit"])) for trace in traces]


SCORER = Scorer("digits", digits)
# More than one chunk, equal ones within and across them, with characters of several bytes.
ROWS = [{"question": f"é {i % 20}", "id": i, "score": "mine", "deep": [None]} for i in range(90)]


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
