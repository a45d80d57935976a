"""Records and read choices in the compiler: parents and children of fields, and what is said."""

import json
from typing import Any

import pytest

import sysgraph
from sysgraph import GraphError, Program
from sysgraph_compiler import compile
from sysgraph_compiler.pipeline import check
from sysgraph_schemas import dump, load

GRAPH = """\
name: calls
models: {m: {kind: table, values: [a, b]}}
parsers:
  call:
    kind: json
    fields: {tool: {options: [search, sum]}, query: text, args: {type: list, max_items: 2}}
    on_failure: reject
nodes:
  q: {kind: input}
  ask: {kind: lm, model: m, prompt: "{{ q }}"}
  call: {kind: parse, parser: call}
  out: OUT
edges:
  - q -> ask
  - ask -> call
  - EDGE
outputs: [out, ask]
"""


def graph(out: str, edge: str) -> str:
    return GRAPH.replace("OUT", out).replace("EDGE", edge)


@pytest.mark.parametrize(
    ("out", "edge", "parents"),
    [
        ('{kind: lm, model: m, prompt: "{{ call.query }}"}', "call -> out", ["call.query"]),
        ('{kind: lm, model: m, prompt: "{{ call.query }}"}', "call.query -> out", ["call.query"]),
        ('{kind: lm, model: m, prompt: "{{ call | tojson }}"}', "call -> out", ["call"]),
        (
            '{kind: lm, model: m, prompt: "{{ call | tojson }}{{ call.query }}"}',
            "call -> out",
            ["call", "call.query"],
        ),
        (
            '{kind: lm, model: m, prompt: "{{ q }}", when: {call.tool: sum}}',
            "q, call -> out",
            ["q", "call.tool"],
        ),
        (
            "{kind: tool, tool: vote, args: {answers: call.args}, when: {call.tool: sum}}",
            "call -> out",
            ["call.args", "call.tool"],
        ),
        ("{kind: tool, tool: vote}", "call.args -> out", ["call.args"]),
        (
            '{kind: lm, model: m, for_each: {x: call.args}, prompt: "{{ x }}"}',
            "call -> out",
            ["call.args"],
        ),
    ],
)
def test_an_edge_from_a_record_is_one_from_the_fields_that_are_read(
    out: str, edge: str, parents: list[str]
) -> None:
    text = graph(out, edge)
    program = sysgraph.compile(load(text))
    (found, *_) = [v for v in program.variables if v.node == "out"]
    assert list(found.parents) == parents
    names = {"answers" if "args:" in out else "args": "call.args"}
    assert found.tool is None or found.tool.arguments == names
    used = {v.name: v.parents for v in program.variables if v.field is not None}
    assert used == dict.fromkeys(sorted(p for p in parents if "." in p), ("call",))
    assert not check(load(text))
    assert Program.from_json(program.to_json()) == program
    assert compile(load(dump(load(text)))) == program


COPIES = """\
name: copies
models: {m: {kind: table, values: [a, b]}}
parsers:
  call: {kind: json, fields: {say: text, next: {options: [go, stop]}}, on_failure: reject}
nodes:
  q: {kind: input}
  ask: {kind: lm, model: m, prompt: "{{ q }} {{ call.say }}"}
  call: {kind: parse, parser: call}
  note: {kind: lm, model: m, prompt: "{{ q }}", when: {call.next: go}}
  many: {kind: lm, for_each: {k: [1, 2]}, model: m, prompt: "{{ note }}"}
  each: {kind: parse, for_each: {k: [1, 2]}, parser: call}
  out: {kind: lm, model: m, prompt: "{{ call.next }}{% for s in each.say %}{{ s }}{% endfor %}"}
edges:
  - q -> ask
  - ask -> call
  - q, call -> note
  - note -> many
  - many -> each
  - call, each -> out
loops:
  l: {repeat: 2, nodes: [ask, call, note], carry: [call -> ask]}
outputs: [out, ask]
"""


def test_fields_are_copied_with_their_record() -> None:
    program = sysgraph.compile(load(COPIES))
    parents = {v.name: v.parents for v in program.variables}
    assert parents["ask[2]"] == ("q", "call.say[1]")
    assert parents["note[2]"] == ("q", "call.next[2]")
    assert parents["each.say[2]"] == ("each[2]",)
    assert parents["out"] == ("call.next[2]", "each.say[1]", "each.say[2]")
    assert "call.say[2]" in parents  # of the last turn, which nobody reads


@pytest.mark.parametrize(
    ("parser", "rest", "code", "help"),
    [
        ({"options": ["ok", "no"]}, {"when": {"v": ["ok", "no"]}}, None, ""),
        (
            {"options": ["ok", "no"], "on_failure": "default", "default": "ok"},
            {"when": {"v": ["ok", "no"]}},
            "SG904",
            "remove the gate",
        ),
        ({"options": ["ok"]}, {"when": {"v": "ok"}}, None, ""),
        ({"options": ["ok"]}, {"when": {"v": "no"}}, "SG903", "its options are: ok"),
        ({"options": ["ok", "no"]}, {"when": {"v": "ok"}}, "SG906", "take `no` out of the options"),
        ({}, {"when": {"v": "ok"}}, "SG901", "add `options: [...]` to the parser `p`"),
        (
            {"options": ["ok"], "on_failure": "default", "default": "OK"},
            {"when": {"v": "ok"}},
            "SG506 SG904",
            "did you mean `ok`?",
        ),
        ({"options": ["ok", " OK"]}, {"when": {"v": "ok"}}, "SG105", None),
        ({"options": ["ok"], "many": True}, {"when": {"v": "ok"}}, "SG107", "remove one"),
    ],
)
def test_gates_on_what_is_read(
    parser: dict[str, Any], rest: dict[str, Any], code: str | None, help: str | None
) -> None:
    """A failure ends the trace: that is no way in which an output lacks, and a gate of its own."""
    data = {
        "sysgraph": 1,
        "name": "verify",
        "models": {"m": {"kind": "table", "values": ["ok", "no"]}},
        "parsers": {"p": {"kind": "regex", "pattern": ".*", "on_failure": "reject", **parser}},
        "nodes": {
            "q": {"kind": "input"},
            "check": {"kind": "lm", "model": "m", "prompt": "{{ q }}"},
            "v": {"kind": "parse", "parser": "p"},
            "out": {"kind": "lm", "model": "m", "prompt": "{{ q }}", **rest},
        },
        "edges": ["q -> check", "check -> v", "q, v -> out"],
        "outputs": ["out"],
    }
    try:
        found = check(load(json.dumps(data)))
    except GraphError as error:
        found = error.diagnostics
    assert [diagnostic.code for diagnostic in found] == (code or "").split()
    assert not found or (help or "") in str(found[0].help)
