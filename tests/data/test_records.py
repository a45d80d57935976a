"""Records in rows: JSON objects, alone or with the text that they are read from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import Completion, DataError, Program
from sysgraph.data import load_pairs, pair_row
from sysgraph.traces.pair import Pair

CALL = {"tool": "search", "query": "cats", "args": ["a"]}
TEXT = json.dumps(CALL)
GRAPH = {
    "sysgraph": 1,
    "name": "calls",
    "models": {"m": {"kind": "table", "values": [TEXT, "none"]}},
    "parsers": {
        "call": {
            "kind": "json",
            "fields": {"tool": {"options": ["search", "sum"]}, "query": "text", "args": "list"},
            "on_failure": "reject",
        }
    },
    "nodes": {
        "q": {"kind": "input"},
        "ask": {"kind": "lm", "model": "m", "prompt": "{{ q }}"},
        "call": {"kind": "parse", "parser": "call"},
        "out": {"kind": "lm", "model": "m", "prompt": "{{ call.query }}{{ call.tool }}"},
    },
    "edges": ["q -> ask", "ask -> call", "call -> out"],
    "outputs": ["out", "call.tool"],
}


@pytest.fixture(scope="module")
def calls() -> Program:
    return sysgraph.compile(sysgraph.load(json.dumps(GRAPH)))


def test_a_record_is_an_object_and_a_field_is_told_where_it_is_an_output(
    calls: Program, jsonl: Callable[..., Path], tmp_path: Path
) -> None:
    traces = sysgraph.System(calls, device="cpu").sample({"q": "?"}, n=8)
    chosen = next(trace for trace in traces if not trace.failed)
    rejected = next(trace for trace in traces if trace.failed)
    row = pair_row(calls, Pair(chosen, rejected, ""), tmp_path)
    shown = {"ask": TEXT, "call": CALL, "call.tool": "search"}
    assert {key: row["chosen"][key] for key in row["chosen"] if key != "out"} == shown
    assert row["rejected"] == {"ask": "none", "call": None, "call.tool": None, "out": None}
    (read,) = load_pairs(calls, jsonl(row))
    assert (read.chosen, read.rejected) == (chosen, rejected)


def test_of_what_a_missing_text_says_only_choices_may_be_there(jsonl: Callable[..., Path]) -> None:
    """Hardly any text that is drawn would give a record; of a choice's few options, many do."""
    program = sysgraph.compile(sysgraph.load(json.dumps({**GRAPH, "outputs": ["out"]})))
    sides = {"chosen": {"call.tool": "search", "out": TEXT}, "rejected": {"out": "none"}}
    (read,) = load_pairs(program, jsonl({"inputs": {"q": "?"}, **sides}))
    assert dict(read.chosen.values) == {"call.tool": "search", "out": Completion(TEXT)}
    for side in sides.values():
        side["call"] = CALL  # type: ignore[assignment]
    with pytest.raises(DataError, match="call follows from ask, which is missing"):
        load_pairs(program, jsonl({"inputs": {"q": "?"}, **sides}))


@pytest.mark.parametrize(
    ("call", "text", "said"),
    [
        ("cats", None, "call: expected an object with tool, query, args, got the text 'cats'"),
        ({**CALL, "args": "a"}, None, "the field 'args': expected a list of texts, got the text"),
        ({**CALL, "query": 1}, None, "the field 'query': expected a text, got 1"),
        ({**CALL, "tool": "fly"}, None, "the field 'tool': the text 'fly' is no option; expected"),
        ({**CALL, "more": ""}, None, "there is no field 'more'; expected tool, query, args"),
        ({"tool": "sum"}, None, "the field 'query' is missing; expected tool, query, args"),
        ({**CALL, "query": "dogs"}, TEXT, "parser 'call' reads the record {"),
        (CALL, "none", "parser 'call' has no value for the text it reads; expected null"),
    ],
)
def test_what_is_wrong_with_a_record(
    calls: Program, jsonl: Callable[..., Path], call: Any, text: str | None, said: str
) -> None:
    side = {"ask": text, "call": call, "out": TEXT}
    with pytest.raises(DataError) as caught:
        load_pairs(calls, jsonl({"inputs": {"q": "?"}, "chosen": side, "rejected": side}))
    assert said in str(caught.value)
