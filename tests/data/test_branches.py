"""Rows of graphs with choices, gates, selections, lists of elements, loops and tools."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import DataError, Program, System
from sysgraph.data import load_pairs, pair_row
from sysgraph.traces.pair import Pair

GRAPH = """
sysgraph: 1
name: g
models:
  r: {kind: table, values: [math, code]}
  m: {kind: table, values: ["x", "x, y", "z"]}
parsers:
  items: {kind: split, min_items: 1, max_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  route: {kind: choice, model: r, prompt: "{{ question }}", options: [math, code]}
  m: {kind: lm, model: m, prompt: "{{ question }}", when: {route: math}}
  c: {kind: lm, for_each: {k: [1, 2]}, model: m, prompt: "{{ question }}", when: {route: code}}
  pick: {kind: select}
  parts: {kind: parse, parser: items}
  each: {kind: lm, for_each: {part: parts}, model: m, prompt: "{{ part }}"}
  d: {kind: lm, for_each: {k: [1, 2]}, model: m, prompt: "{{ pick }}{{ d | join }}"}
  best: {kind: tool, tool: vote, args: {answers: d}}
  end: {kind: lm, model: m, prompt: "{{ best }}{{ each | join }}"}
edges:
  - question -> route
  - question, route -> m, c
  - m, c -> pick
  - pick -> parts
  - parts -> each
  - pick -> d
  - d -> best
  - best, each -> end
loops:
  turns: {repeat: 2, nodes: [d], carry: [d -> d]}
outputs: [end]
"""

SIDE: dict[str, Any] = {
    "route": "math",
    "m": "x, y",
    "c": [None, None],
    "each": ["x", "z"],
    "d": ["x", "z", "z", "x"],
    "end": "x",
}


@pytest.fixture(scope="module")
def branches() -> Program:
    return sysgraph.compile(sysgraph.load(GRAPH))


def row(**changed: Any) -> dict[str, Any]:
    return {"inputs": {"question": "q"}, "chosen": {**SIDE, **changed}, "rejected": SIDE}


def test_what_a_row_says(branches: Program, jsonl: Callable[..., Path]) -> None:
    (pair,) = load_pairs(branches, jsonl(row(m="z", each=["x"])))
    chosen, rejected = pair.chosen, pair.rejected
    assert (chosen["parts"], rejected["parts"]) == (("z",), ("x", "y"))
    assert chosen.nonexistent == {"c[1]", "c[2]", "each[2]"}
    assert (rejected["d[1,1]"], rejected["d[1,2]"], rejected["d[2,1]"]) == ("x", "z", "z")
    assert (rejected["pick"], rejected["best"]) == ("x, y", "z")


def test_computed_values_may_be_given(branches: Program, jsonl: Callable[..., Path]) -> None:
    given = row(pick="x, y", best="z", parts=["x", "y"])
    (pair,) = load_pairs(branches, jsonl(given))
    assert pair.chosen == pair.rejected


def test_what_was_sampled_is_what_is_read(
    branches: Program, jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    traces = System(branches, device="cpu").sample({"question": "q"}, n=20)
    pairs = [Pair(a, b, "") for a, b in zip(traces[::2], traces[1::2], strict=True)]
    read = load_pairs(branches, jsonl(*(pair_row(branches, p, tmp_path) for p in pairs)))
    assert [(p.chosen, p.rejected) for p in read] == [(p.chosen, p.rejected) for p in pairs]
    assert len({trace["route"] for trace in traces}) == 2


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no option": (
        {"route": "maths"},
        "chosen.route: the text 'maths' is no option; did you mean 'math'? expected one of math, "
        "code",
    ),
    "no text": ({"route": 3}, "chosen.route: 3 is no option; expected one of math, code"),
    "switched off": (
        {"c": ["x", None]},
        "chosen.c[1]: the text 'x', but route is math, and it runs where that is code; expected "
        "null",
    ),
    "beyond the list": (
        {"m": "z"},
        "chosen.each[2]: the text 'z', but parts has 1 of them; expected null",
    ),
    "more than the list can have": (
        {"each": ["x", "y", "z"]},
        "chosen.each: expected a list of 2, one for each of each[1], each[2]; got a list of 3",
    ),
    "another selection": (
        {"pick": "z"},
        "chosen.pick: the text 'z', but the first branch that ran has the text 'x, y'; expected "
        "that, or nothing (it is computed)",
    ),
    "a value of a tool that is no text": (
        {"best": ["x"]},
        "chosen.best: expected a text, got a list of 1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_problems(name: str, branches: Program, jsonl: Callable[..., Path]) -> None:
    changed, said = CASES[name]
    path = jsonl(row(**changed))
    with pytest.raises(DataError) as caught:
        load_pairs(branches, path)
    assert [problem.removeprefix(f"{path}:1: ") for problem in caught.value.problems] == [said]


def test_the_example_shows_an_option(branches: Program, jsonl: Callable[..., Path]) -> None:
    with pytest.raises(DataError) as caught:
        load_pairs(branches, jsonl({"chosen": SIDE, "rejected": SIDE}))
    example = json.loads(str(caught.value.problems[0]).split("expected ")[1])
    assert example["chosen"]["route"] == "math"
