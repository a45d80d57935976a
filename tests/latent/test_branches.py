"""Rows that say what a selection has: what loads, and what contradicts or does not say enough."""

import json
from pathlib import Path
from typing import Any

import pytest

import sysgraph
import sysgraph_compiler
from sysgraph import DataError
from sysgraph.data import load_pairs
from sysgraph.latent import find_gaps
from sysgraph_compiler import Observation

GRAPH = """
sysgraph: 1
name: g
models:
  r: {kind: table, values: [math, code]}
  m: {kind: table, values: ["x, y", "z"]}
parsers:
  items: {kind: split, min_items: 1, max_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  route: {kind: choice, model: r, prompt: "{{ question }}", options: [math, code]}
  plan: {kind: lm, model: m, prompt: "{{ question }}"}
  items: {kind: parse, parser: items}
  m: {kind: lm, model: m, prompt: "{{ items | join }}", when: {route: math}}
  c: {kind: lm, model: m, prompt: "{{ question }}", when: {route: code}}
  answer: {kind: select}
edges:
  - question -> route, plan
  - plan -> items
  - items, route -> m
  - question, route -> c
  - m, c -> answer
outputs: [answer]
"""


def rows(folder: Path, *several: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in several))
    return path


def row(**chosen: Any) -> dict[str, Any]:
    return {"inputs": {"question": "q"}, "chosen": chosen, "rejected": {"answer": "x, y"}}


def test_a_prompt_and_answers_are_values_of_the_selection(tmp_path: Path) -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    path = rows(tmp_path, {"prompt": "q", "chosen": "z", "rejected": "x, y"})
    (pair,) = load_pairs(program, path)
    assert (dict(pair.chosen.values), pair.rejected["answer"]) == ({"answer": "z"}, "x, y")
    gaps = find_gaps(program, pair.chosen, pair.rejected)
    assert gaps is not None
    assert gaps.plan.latent == ("route", "plan")
    assert gaps.plan.branches == {"m", "c"}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            {"answer": "z", "items": ["x", "y"]},
            "chosen.items follows from plan, which is missing; expected that too, or no items",
        ),
        (
            {"answer": "z", "c": "x, y"},
            "chosen.answer has 'z', but c ran and has 'x, y'; expected that, or nothing (it is "
            "computed)",
        ),
    ],
    ids=["a parsed list without its text", "another text of the branch that ran"],
)
def test_what_is_refused(tmp_path: Path, chosen: dict[str, Any], said: str) -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    path = rows(tmp_path, row(**chosen))
    with pytest.raises(DataError) as caught:
        load_pairs(program, path)
    assert [problem.removeprefix(f"{path}:1: ") for problem in caught.value.problems] == [said]


@pytest.mark.parametrize(
    ("observed", "latent"),
    [("answer", ("route", "plan")), ("answer,route", ("plan",)), ("answer,plan", ("route",))],
)
def test_the_program_says_what_is_drawn(observed: str, latent: tuple[str, ...]) -> None:
    graph = sysgraph.load(GRAPH)
    program = sysgraph_compiler.compile(graph, Observation.of(observed))
    assert program.objective.latent == latent
    assert {"m", "c", "answer"} <= {*program.objective.observed}
    assert {t.variable for t in program.terms if t.summed} == {*latent, "m", "c"}
