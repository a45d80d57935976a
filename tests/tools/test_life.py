"""A tool's life: opened with its settings, asked for many rows at once, recorded, replayed."""

import itertools
import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, Program, RunError, System, ToolError, Trace
from sysgraph.data import load_pairs, pair_row
from sysgraph.data.rows import convert, read_rows
from sysgraph.data.traces import read_trace_row, trace_row
from sysgraph.tools import toolbox_of
from sysgraph.traces.pair import Pair

GRAPH = """
name: g
models:
  asker: {kind: table, contexts: [q, r], values: [ant, bee, cow],
          probs: [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]}
  writer: {kind: table, contexts: [ant, bee, cow, big, small], values: [x, y],
           probs: [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.5, 0.5]]}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: asker, prompt: "{{ question }}"}
  size: {kind: tool, tool: size, args: {word: draft}, returns: choice, options: [big, small]}
  words: {kind: tool, tool: words, args: {word: draft}, settings: {file: w.json, skip: [a, b]},
          returns: list, min_items: 1, max_items: 2, on_failure: reject}
  note: {kind: lm, for_each: {word: words}, model: writer, prompt: "{{ word }}"}
  loud: {kind: lm, model: writer, prompt: "{{ size }}", when: {size: big}}
  still: {kind: lm, model: writer, prompt: "{{ size }}", when: {size: small}}
  said: {kind: select}
edges:
  - question -> draft
  - draft -> size, words
  - words -> note
  - size -> loud, still
  - loud, still -> said
outputs: [note, said]
"""
WORDS = {"ant": ["ant"], "bee": ["bee", "cow"], "cow": []}


class Words:
    """Gives the words that a file has for one."""

    paths = ("file",)
    returns = "list"
    version = "1"
    events: list[Any] = []  # noqa: RUF012 - of all there are

    def open(self, file: Path, skip: list[str]) -> None:
        assert skip == ["a", "b"]
        assert file.is_absolute()
        self.events.append("open")
        self._words = json.loads(file.read_text())

    def call(self, word: list[str]) -> list[Any]:
        self.events.append(sorted(word))
        return [self._words[one] if one != "bug" else ToolError("no") for one in word]

    def close(self) -> None:
        self.events.append("close")


def size(word: str) -> str:
    Words.events.append(word)
    return "big" if word == "cow" else "small"


@pytest.fixture
def compiled(tmp_path: Path) -> Program:
    (tmp_path / "w.json").write_text(json.dumps(WORDS))
    (tmp_path / "g.yaml").write_text(GRAPH)
    Words.events.clear()
    graph = sysgraph.load(tmp_path / "g.yaml")
    return sysgraph.compile(graph, tools={"words": Words, "size": size})


def test_it_opens_once_is_called_for_a_layer_at_once_and_closes(compiled: Program) -> None:
    system = System(compiled, device="cpu")
    traces = system.sample([{"question": "q"}, {"question": "r"}], n=20)
    assert Words.events[0] == "open"
    assert sorted(map(repr, Words.events[1:])) == [
        "'ant'",
        "'bee'",
        "'cow'",
        "['ant', 'bee', 'cow']",
    ]
    for trace in traces:
        draft = str(trace["draft"])
        assert ("words" in trace.rejected) == (draft == "cow")
        assert trace["size"] == ("big" if draft == "cow" else "small")
        assert draft == "cow" or trace["words"] == tuple(WORDS[draft])
        assert ("loud" in trace.values, "still" in trace.values) == (draft == "cow", draft != "cow")
    del system, compiled.__dict__["bound"]
    assert Words.events[-1] == "close"


def test_all_traces_have_probability_1(compiled: Program) -> None:
    """By brute force over what the tables can say; the tools decide what exists."""
    system = System(compiled, device="cpu")
    total = 0.0
    for draft, *written in itertools.product(WORDS, "xy", "xy", "xy"):
        values = dict(
            zip(("note[1]", "note[2]", "loud", "still"), [*written, written[2]], strict=True)
        )
        trace = Trace({"question": "q"}, {"draft": draft, **values}, compiled.outputs)
        (found,) = zip(*(v.tolist() for v in system.log_prob([trace]).values()), strict=True)
        there = 1 + len(WORDS[draft])
        total += math.exp(sum(found)) / 2 ** (3 - there)  # what does not exist was counted twice
    assert total == pytest.approx(1, abs=1e-5)


def test_what_a_row_records_is_not_asked_for_again(compiled: Program, tmp_path: Path) -> None:
    system = System(compiled, device="cpu")
    traces = {str(t["draft"]): t for t in system.sample({"question": "q"}, n=30)}
    assert traces["cow"].failures == {"words": "0 items, at least 1 wanted"}
    rows = [trace_row(compiled, trace, tmp_path) for trace in traces.values()]
    pairs = [pair_row(compiled, Pair(traces["ant"], traces["cow"], ""), tmp_path)]
    Words.events.clear()
    again = sysgraph.compile(
        sysgraph.load(tmp_path / "g.yaml"), tools={"words": Words, "size": size}
    )
    read = convert(read_rows(rows), lambda row, problems: read_trace_row(again, row, problems))
    assert read == list(traces.values())
    (pair,) = load_pairs(again, pairs)
    assert (pair.chosen, pair.rejected) == (traces["ant"], traces["cow"])
    expected = system.log_prob([*traces.values()])
    found = System(again, device="cpu").log_prob(read)
    assert all(found[name].equal(expected[name]) for name in expected)
    assert Words.events == ["open"]


class Less(Words):
    def open(self, file: Path) -> None:  # type: ignore[override]
        raise AssertionError("it was opened")


class Text(Words):
    returns = "text"


@pytest.mark.parametrize(
    ("words", "file", "said"),
    [
        (Text, "w.json", "gives a text, and node words has `returns: list`"),
        (Less, "w.json", r"settings that node words gives it \(file, skip\).*it takes \(file"),
        (Words, "no.json", r"\(node words\): settings.file: there is no 'w.json' in "),
    ],
)
def test_what_is_told_before_anything_runs(
    words: type[Words], file: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH)
    (tmp_path / file).write_text("{}")
    graph = sysgraph.load(tmp_path / "g.yaml")
    program = sysgraph.compile(graph, tools={"words": words, "size": size})
    with pytest.raises(InputError, match=said):
        System(program, device="cpu")


ONE = """
name: one
models: {m: {kind: table, values: [x]}}
nodes:
  question: {kind: input}
  found: {kind: tool, tool: f, args: {word: question}, timeout: 600%s}
  answer: {kind: lm, model: m, prompt: "{{ found }}"}
edges: [question -> found, found -> answer]
outputs: [answer]
"""


def one(tool: Any) -> System:
    program = sysgraph.compile(sysgraph.load(ONE % ""), tools={"f": tool})
    return System(program, device="cpu")


def questions(*words: str) -> Sequence[dict[str, str]]:
    return [{"question": word} for word in words]


def test_values_are_in_the_order_of_rows_whatever_ends_first() -> None:
    last = threading.Event()

    def waits(word: str) -> str:
        """The first call ends after the last one has."""
        if word == "a":
            assert last.wait(60)
        if word == "d":
            last.set()
        return word * 2

    system = one(sysgraph.Tool("f", waits, at_once=4))
    assert [t["found"] for t in system.sample(questions(*"abcd"))] == ["aa", "bb", "cc", "dd"]


def test_a_row_without_a_value_stops_alone() -> None:
    def answers(word: str) -> Any:
        if word == "bug":
            raise KeyError("deep inside")
        if word == "none":
            raise ToolError("nothing there")
        return 3 if word == "number" else "ok"

    system = one(answers)
    (traces,) = system.stream(questions("a", "bug", "none", "number", "b"))
    stopped = {t.inputs["question"]: t.stopped for t in traces if t.stopped}
    said = {
        "bug": "raised KeyError: 'deep inside'",
        "none": "has no value: nothing there (without `on_failure`, that stops the row)",
        "number": "returned 3; expected a text",
    }
    assert [*stopped] == [*said]
    for word, why in said.items():
        assert f"tool 'f' (node found), called with word='{word}', {why}" in str(stopped[word])
    with pytest.raises(RunError, match="deep inside"):
        system.sample({"question": "bug"})


def test_a_collection_goes_on_without_it(tmp_path: Path) -> None:
    """What stopped is read as that: its tool is not asked again."""
    asked: list[str] = []

    def answers(word: str) -> str:
        asked.append(word)
        if word == "none":
            raise ToolError("nothing there")
        return word

    graph = sysgraph.load(ONE.replace(", timeout: 600%s", ""))
    inputs = [{"question": word} for word in ("a", "none")]
    found = sysgraph.collect(
        graph,
        inputs,
        output=tmp_path / "out",
        scorer=lambda trace: float(trace["answer"] == "x"),
        samples=6,
        tools={"f": answers},
    )
    assert (found.traces, found.stopped, asked) == (12, 6, ["a", "none"])
    rows = [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").open()]
    assert {row["inputs"]["question"] for row in rows} <= {"a"}


def test_a_call_that_does_not_end_is_a_failure() -> None:
    never = threading.Event()
    graph = ONE.replace("600%s", "0.05, on_failure: default, default: late")
    program = sysgraph.compile(sysgraph.load(graph), tools={"f": lambda word: never.wait()})
    (trace,) = System(program, device="cpu").sample({"question": "q"})
    never.set()
    assert trace["found"] == "late"


def test_a_batch_that_raises_is_asked_row_by_row() -> None:
    class Picky:
        def open(self) -> None:
            pass

        def call(self, word: list[str]) -> list[str]:
            return [{"a": "1", "b": "2"}[one] for one in word]

    (traces,) = one(Picky).stream(questions("a", "z", "b"))
    assert [t.values.get("found") for t in traces] == ["1", None, "2"]
    assert "raised KeyError: 'z'" in str(traces[1].stopped)


def test_the_fingerprint_is_of_all_that_decides_the_values(
    compiled: Program, tmp_path: Path
) -> None:
    def prints(**changes: Any) -> str:
        text = GRAPH.replace("skip: [a, b]", changes.get("settings", "skip: [a, b]"))
        (tmp_path / "g.yaml").write_text(text)
        (tmp_path / "w.json").write_text(changes.get("content", json.dumps(WORDS)))
        tools = {"words": changes.get("tool", Words), "size": changes.get("size", size)}
        program = sysgraph.compile(sysgraph.load(tmp_path / "g.yaml"), tools=tools)
        return json.dumps(toolbox_of(program).fingerprints)

    class Newer(Words):
        version = "2"

    class Other(Words):
        def open(self, file: Path, skip: list[str]) -> None:
            pass

    same = prints()
    assert prints() == same
    others = [
        prints(content="{}"),
        prints(tool=Newer),
        prints(tool=Other, settings="skip: [b]"),
        prints(size=lambda word: "big"),
    ]
    assert len({same, *others}) == 5
