"""What is wrong with a file is said at once, where it is, and with what would be right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import DataError, Program
from sysgraph.data import load_inputs, load_pairs

Programs = Callable[[str], Program]
Files = Callable[..., Path]

GOOD: dict[str, Any] = {
    "inputs": {"question": "q"},
    "chosen": {"draft": "d", "answer": "a"},
    "rejected": {"draft": "d", "answer": "b"},
}
TEAM: dict[str, Any] = {
    "inputs": {"question": "q"},
    "chosen": {"draft": ["1", "2"], "list": "a,b", "answer": "x"},
    "rejected": {"draft": ["1", "2"], "list": "a,b", "answer": "y"},
}
TRL = {"prompt": "q", "chosen": "a", "rejected": "b"}
EXAMPLE = json.dumps(
    {
        "inputs": {"question": "..."},
        "chosen": {"draft": "...", "answer": "..."},
        "rejected": {"draft": "...", "answer": "..."},
    }
)


def problems(program: Program, path: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_pairs(program, path)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


def with_side(row: dict[str, Any], side: str, **values: Any) -> dict[str, Any]:
    return {**row, side: {**row[side], **values}}


CASES: dict[str, tuple[str, Any, list[str]]] = {
    "unknown node": (
        "two",
        with_side(GOOD, "rejected", answr="b"),
        ["rejected.answr: no such node; did you mean 'answer'? expected draft, answer"],
    ),
    "node like no other": (
        "two",
        with_side(GOOD, "chosen", zzz="b"),
        ["chosen.zzz: no such node; expected draft, answer"],
    ),
    "input among the nodes": (
        "two",
        with_side(GOOD, "chosen", question="q"),
        ["chosen.question: 'question' is an input of the graph; expected under 'inputs'"],
    ),
    "one copy": (
        "team",
        with_side(TEAM, "chosen", **{"draft[a]": "1"}),
        ["chosen.draft[a]: one copy of 'draft'; expected all of them as a list under 'draft'"],
    ),
    "list of the wrong length": (
        "team",
        with_side(TEAM, "chosen", draft=["1"]),
        ["chosen.draft: expected a list of 2, one for each of draft[a], draft[b]; got a list of 1"],
    ),
    "group that is no list": (
        "team",
        with_side(TEAM, "rejected", draft="1"),
        [
            "rejected.draft: expected a list of 2, one for each of draft[a], draft[b]; got the "
            "text '1'"
        ],
    ),
    "wrong types": (
        "team",
        with_side(with_side(TEAM, "chosen", draft=[1, True], answer={}), "rejected", parts="a"),
        [
            "chosen.draft[a]: expected a text, got 1",
            "chosen.draft[b]: expected a text, got true",
            "chosen.answer: expected a text, got an object",
            "rejected.parts: expected a list of texts, got the text 'a'",
        ],
    ),
    "value that no parser reads": (
        "team",
        with_side(TEAM, "chosen", parts=["a"], n=["1", "7"]),
        [
            "chosen.n[b]: the text '7', but parser 'number' reads the text '2'; expected that, or "
            "nothing (it is computed)",
            "chosen.parts: a list of 1, but parser 'items' reads a list of 2; expected that, or "
            "nothing (it is computed)",
        ],
    ),
    "value of what was rejected": (
        "team",
        with_side(TEAM, "rejected", draft=["1", "none"], n=["1", "3"]),
        [
            "rejected.n[b]: the text '3', but parser 'number' has no value for the text it reads; "
            "expected null"
        ],
    ),
    "side that is null": (
        "two",
        {**GOOD, "rejected": None},
        ["'rejected' is null; expected what the system gave"],
    ),
    "misspelt side": (
        "two",
        {"inputs": {"question": "q"}, "choosen": {}, "rejected": {}},
        ["no 'chosen'; expected what the system gave (is 'choosen' a misspelling of it?)"],
    ),
    "no sides": (
        "two",
        {"question": "q"},
        [
            "no 'chosen'; expected what the system gave (the row has question)",
            "no 'rejected'; expected what the system gave (the row has question)",
        ],
    ),
    "no inputs": (
        "two",
        {k: v for k, v in GOOD.items() if k != "inputs"},
        [f"no 'inputs'; expected {EXAMPLE}"],
    ),
    "misspelt input in the row": (
        "two",
        {"qestion": "q", "chosen": "a", "rejected": "b"},
        [f"no 'inputs'; expected {EXAMPLE} (is 'qestion' a misspelling of 'question'?)"],
    ),
    "mistyped input in the row": (
        "two",
        {"question": ["q"], "chosen": "a", "rejected": "b"},
        ["question: expected a text, got a list of 1"],
    ),
    "inputs that are a text": (
        "two",
        {**GOOD, "inputs": "q"},
        ["""inputs: the text 'q'; expected {"question": "..."}"""],
    ),
    "misspelt input": (
        "two",
        {**GOOD, "inputs": {"qestion": "q"}},
        ["inputs.question: missing; expected a text (is 'qestion' a misspelling of it?)"],
    ),
    "unknown and mistyped input": (
        "two",
        {**GOOD, "inputs": {"question": 3, "gold": "g"}},
        [
            "inputs.gold: the graph has no such input; expected question (what else a row holds "
            "belongs beside 'inputs')",
            "inputs.question: expected a text, got 3",
        ],
    ),
    "output that is missing": (
        "two",
        {**GOOD, "chosen": {"draft": "d"}, "rejected": {"draft": "d", "answer": None}},
        [
            f"{side}: no value for answer; expected one, as in {EXAMPLE} (preferences are about "
            "the outputs)"
            for side in ("chosen", "rejected")
        ],
    ),
    "side that is nothing": (
        "two",
        {**GOOD, "chosen": 3},
        ["chosen: expected a text, or a list of one assistant message; got 3"],
    ),
    "token ids of nothing": (
        "two",
        {**GOOD, "chosen_ids": {"draft": [[1, -2]], "answer": [3], "drft": []}},
        [
            "chosen_ids.drft: no such node; did you mean 'draft'? expected draft, answer",
            "chosen_ids.draft: expected a list of token ids, got a list of 2",
            "chosen_ids.answer: expected a list of token ids, got 3",
        ],
    ),
    "TRL row, system prompt": (
        "one",
        {
            "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
            "chosen": "a",
            "rejected": "b",
        },
        [
            "prompt: messages by system, user; expected a text, or a list of one user message (a "
            "system prompt or earlier turns belong into the graph's `messages:`, or into an input "
            "of `type: messages`)"
        ],
    ),
    "TRL row, wrong type": (
        "one",
        {"prompt": "q", "chosen": 3, "rejected": "b"},
        ["chosen: expected a text, or a list of one assistant message; got 3"],
    ),
    "TRL row, message without text": (
        "one",
        {"prompt": [{"role": "user", "content": None}], "chosen": "a", "rejected": "b"},
        ["prompt: the message's content is null; expected a text"],
    ),
    "broken line": (
        "two",
        '{"inputs": {"question": "q"}',
        [
            "broken JSON at column 29 (Expecting ',' delimiter); expected one whole JSON object on "
            "this line"
        ],
    ),
    "no object": ("two", "7", ["7; expected a JSON object on this line"]),
    "list": ("two", "[1, 2]", ["a list of 2; expected a JSON object on this line"]),
    "no number": (
        "two",
        '{"a": NaN}',
        ["no JSON that can be read (NaN is no JSON number); expected one JSON object on this line"],
    ),
    "half a character": (
        "two",
        '{"a": "\\ud83d"}',
        ["\\ud83d is half of a character; expected text with both of its halves, or neither"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row(name: str, program: Programs, jsonl: Files) -> None:
    graph, row, expected = CASES[name]
    good = {"one": TRL, "two": GOOD, "team": TEAM}[graph]
    assert problems(program(graph), jsonl(good, row)) == [f"2: {problem}" for problem in expected]


def test_every_row_at_once(program: Programs, jsonl: Files) -> None:
    rows = [row for graph, row, _ in CASES.values() if graph == "two"]
    expected = [found for graph, _, found in CASES.values() if graph == "two"]
    wanted = [f"{i}: {p}" for i, several in enumerate(expected, start=1) for p in several]
    assert problems(program("two"), jsonl(*rows)) == wanted


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"a": "\\udc00"}', "{", "\x00", "é"]
)
def test_lines_that_break_readers(line: str, program: Programs, jsonl: Files) -> None:
    path = jsonl(GOOD, line)
    assert [p.partition(":")[0] for p in problems(program("two"), path)] == ["2"]


def test_the_first_fifty_are_shown(program: Programs, jsonl: Files) -> None:
    with pytest.raises(DataError) as caught:
        load_pairs(program("two"), jsonl(*["7"] * 60))
    lines = str(caught.value).splitlines()
    assert len(lines) == 52
    assert lines[-2:] == ["... and 10 more", "60 problems in the data"]
    assert len(caught.value.problems) == 60


def test_inputs(program: Programs, jsonl: Files) -> None:
    path = jsonl({"question": "q"}, {"question": 3}, {"qestion": "q"}, {}, "7", name="in.jsonl")
    with pytest.raises(DataError) as caught:
        load_inputs(program("two"), path)
    assert [p.removeprefix(f"{path}:") for p in caught.value.problems] == [
        "2: question: expected a text, got 3",
        "3: question: missing; expected a text (is 'qestion' a misspelling of it?)",
        "4: question: missing; expected a text (there is nothing)",
        "5: 7; expected a JSON object on this line",
    ]


def test_rows_of_a_graph_with_more_than_one(jsonl: Files) -> None:
    """Inputs or outputs: a prompt, or a text, is one of them."""
    graph = {
        "sysgraph": 1,
        "name": "g",
        "models": {"a": {"kind": "table", "values": ["x"]}},
        "nodes": {
            "question": {"kind": "input"},
            "hint": {"kind": "input"},
            "answer": {"kind": "lm", "model": "a", "prompt": "{{ question }}{{ hint }}"},
            "reason": {"kind": "lm", "model": "a", "prompt": "{{ question }}"},
        },
        "edges": ["question, hint -> answer", "question -> reason"],
        "outputs": ["answer", "reason"],
    }
    compiled = sysgraph.compile(sysgraph.load(json.dumps(graph)))
    side = {"answer": "a", "reason": "r"}
    row = {"inputs": {"question": "...", "hint": "..."}, "chosen": {}, "rejected": {}}
    row["chosen"] = row["rejected"] = {"answer": "...", "reason": "..."}
    path = jsonl(
        {"question": "q", "hint": "h", "chosen": side, "rejected": side},
        {"prompt": "q", "chosen": side, "rejected": side},
        {"question": "q", "prompt": "q", "chosen": side, "rejected": side},
        {"question": "q", "hint": "h", "chosen": "a", "rejected": side},
    )
    assert problems(compiled, path) == [
        "2: a row with 'prompt' gives one input; this graph takes question, hint; expected "
        + json.dumps(row),
        "3: hint: missing; expected a text (there is question, prompt, chosen, rejected)",
        "4: chosen: the text 'a' gives one output; this graph answers with answer, reason; "
        "expected " + json.dumps(row),
    ]
