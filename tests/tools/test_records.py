"""Tools that return records: their fields gate, are looped over, recorded and replayed."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import sysgraph
import sysgraph_compiler
from sysgraph import GraphError, Program, System, ToolError, Trace
from sysgraph.data import load_pairs, pair_row
from sysgraph.data.rows import DataError, convert, read_rows
from sysgraph.data.traces import read_trace_row, trace_row
from sysgraph.traces.pair import Pair
from sysgraph.traces.record import Record

GRAPH = """
name: g
models:
  asker: {kind: table, contexts: [q], values: [ant, bee, cow, bug],
          probs: [[0.4, 0.3, 0.2, 0.1]]}
  writer: {kind: table, contexts: [leg, wing, horn, flies], values: [x, y],
           probs: [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: asker, prompt: "{{ question }}"}
  page:
    kind: tool
    tool: look
    args: {word: draft}
    returns: record
    fields:
      flight: {options: [flies, walks]}
      parts: {type: list, min_items: 1, max_items: 2}
      source: {type: text, optional: true}
    POLICY
  note: {kind: lm, for_each: {part: page.parts}, model: writer, prompt: "{{ part }}"}
  high: {kind: lm, model: writer, prompt: "{{ page.flight }}", when: {page.flight: flies}}
edges:
  - question -> draft
  - draft -> page
  - page.parts -> note
  - page -> high
outputs: [note, high]
"""
PAGES: dict[str, Any] = {
    "ant": {"flight": "walks", "parts": ["leg"], "source": "a", "more": 1},
    "bee": {"parts": ("wing", "leg"), "flight": "flies"},
    "cow": {"flight": "walks", "parts": []},
}
DEFAULT = "on_failure: default\n    default: {source: s, flight: flies, parts: [horn]}"


def compiled(asked: list[str], policy: str = "on_failure: reject") -> Program:
    def look(word: str) -> Any:
        asked.append(word)
        if word not in PAGES:
            raise ToolError("no page")
        return PAGES[word]

    graph = sysgraph.load(GRAPH.replace("POLICY", policy))
    return sysgraph.compile(graph, tools={"look": look})


def drawn(program: Program) -> dict[str, Trace]:
    found = System(program, device="cpu").sample({"question": "q"}, n=60)
    return {str(trace["draft"]): trace for trace in found}


def test_fields_gate_and_are_looped_over() -> None:
    traces = drawn(compiled([]))
    ant, bee, cow, bug = (traces[word] for word in ("ant", "bee", "cow", "bug"))
    assert ant.values["page"] == Record({"flight": "walks", "parts": ("leg",), "source": "a"})
    assert bee.values["page"] == Record({"flight": "flies", "parts": ("wing", "leg"), "source": ""})
    assert [*json.loads(str(bee["page"]))] == ["flight", "parts", "source"]
    assert ("high" in bee.values, "high" in ant.values) == (True, False)
    assert ("note[2]" in bee.values, "note[2]" in ant.values) == (True, False)
    assert cow.failures == {"page": "the field 'parts' has 0 items, at least 1 wanted"}
    assert bug.failures == {"page": "no page"}
    assert cow.failed
    by_default = drawn(compiled([], DEFAULT))["bug"]
    expected = Record({"flight": "flies", "parts": ("horn",), "source": "s"})
    assert by_default.values["page"] == expected
    assert "high" in by_default.values


def test_a_recorded_record_is_not_asked_for_again(tmp_path: Path) -> None:
    first = compiled([])
    traces = drawn(first)
    rows = [trace_row(first, trace, tmp_path) for trace in traces.values()]
    pairs = [pair_row(first, Pair(traces["ant"], traces["bee"], ""), tmp_path)]
    asked: list[str] = []
    again = compiled(asked)
    read = convert(read_rows(rows), lambda row, problems: read_trace_row(again, row, problems))
    assert read == list(traces.values())
    (pair,) = load_pairs(again, pairs)
    assert (pair.chosen, pair.rejected) == (traces["ant"], traces["bee"])
    bee = traces["bee"]
    (total,) = sum(System(again, device="cpu").log_prob([bee]).values()).tolist()  # type: ignore[union-attr]
    x = {"wing": 0.2, "leg": 0.1, "flies": 0.4}
    said = zip(("note[1]", "note[2]", "high"), ("wing", "leg", "flies"), strict=True)
    likely = [x[seen] if bee[name] == "x" else 1 - x[seen] for name, seen in said]
    assert total == pytest.approx(math.log(0.3) + sum(map(math.log, likely)), abs=1e-5)
    assert asked == []
    assert sysgraph.Program.from_json(again.to_json()) == again


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("page", "expected an object with flight, parts, source, got"),
        ({"flight": "swims", "parts": ["leg"], "source": ""}, "is no option"),
        ({"flight": "walks", "parts": ["a", "b", "c"], "source": ""}, "at most 2 texts, got 3"),
        ({"flight": "walks", "parts": ["leg"]}, "the field 'source' is missing"),
    ],
)
def test_what_a_row_says_of_a_record_is_looked_at(page: Any, said: str) -> None:
    side = {"draft": "ant", "page": page, "note": ["x"]}
    row = {"inputs": {"question": "q"}, "chosen": side, "rejected": side}
    with pytest.raises(DataError, match=said):
        load_pairs(compiled([]), [row])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a text", "returned 'a text'; expected a mapping with flight, parts, source"),
        ({"flight": "flies"}, "expected a list of texts as its field 'parts'"),
        ({"flight": "no", "parts": []}, "expected one of the options flies, walks as its field"),
        ({"flight": "flies", "parts": ["\ud800"]}, "expected whole characters"),
    ],
)
def test_a_tool_that_gives_another_record_stops_its_row(given: Any, said: str) -> None:
    graph = sysgraph.load(GRAPH.replace("POLICY", "on_failure: reject"))
    program = sysgraph.compile(graph, tools={"look": lambda word: given})
    with pytest.raises(sysgraph.RunError, match=said):
        System(program, device="cpu").sample({"question": "q"})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("returns: record", "returns: text", "`fields` is for `returns: record`"),
        ("parts: [horn]}", "parts: horn}", "`default` has a field `parts` that is a text"),
        (", parts: [horn]}", "}", "`default` lacks the field `parts`"),
        ("when: {page.flight", "when: {page", "its fields with `options` are: page.flight"),
        ("{part: page.parts}", "{part: page}", "its fields that are lists are: page.parts"),
        (", max_items: 2", "", "to the field `parts` of the node of the tool `look`"),
        ("{{ page.flight }}", "{{ page.fligt }}", "did you mean `flight`?"),
    ],
)
def test_what_check_says_of_it(old: str, new: str, said: str) -> None:
    text = GRAPH.replace("POLICY", DEFAULT)
    assert old in text
    with pytest.raises(GraphError) as caught:
        sysgraph.compile(sysgraph.load(text.replace(old, new)), tools={"look": len})
    assert said in str(caught.value)


def test_a_field_may_gate_a_tool_that_reads_another() -> None:
    """The record itself is no parent of it then: nothing says that it is never used."""
    text = GRAPH.replace("POLICY", "").replace(
        '  high: {kind: lm, model: writer, prompt: "{{ page.flight }}"',
        "  high: {kind: tool, tool: calculate, args: {expression: page.source}",
    )
    opened = sysgraph_compiler.open_graph(text, tools={"look": len})
    assert opened.warnings == ()
    assert opened.program.variable("high").parents == ("page.source", "page.flight")
