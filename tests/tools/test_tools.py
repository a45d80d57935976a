"""Tools: found by name, checked before anything runs, called once for equal arguments."""

import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import Completion, DataError, InputError, Program, RunError, System, Trace
from sysgraph.data import load_pairs
from sysgraph.traces.course import complete
from sysgraph_compiler.checks.models.unknown_tool import installed

MODULE = """
from sysgraph import Tool, ToolError

calls = []

def joined(texts, sep=","):
    calls.append({"texts": texts, "sep": sep})
    if "no" in texts:
        raise ToolError("a no")
    if "bug" in texts:
        raise KeyError("deep inside")
    return 3 if "number" in texts else sep.join(texts)

join = Tool("join", joined)
three = 3
split = Tool("split", lambda text: text.split("-"))
"""
ENTRY_POINTS = """
[sysgraph.tools]
join = some_tools:join
split = some_tools:split
broken = some_tools:absent
function = some_tools:joined
missing = no.such.package:tool
number = some_tools:three
"""


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What `join` is called with: a tool of a package that is installed for the test."""
    (tmp_path / "some_tools.py").write_text(MODULE)
    info = tmp_path / "some_tools-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: some-tools\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()  # other tests' tools are not this package's
    yield import_module("some_tools").calls
    installed.cache_clear()
    del sys.modules["some_tools"]


def program(registered: str = "join", **tool: Any) -> Program:
    """Two drafts, a tool over them, an answer that reads it."""
    graph = {
        "sysgraph": 1,
        "name": "g",
        "models": {"m": {"kind": "table", "values": ["a-b", "no"]}},
        "nodes": {
            "question": {"kind": "input"},
            "draft": {
                "kind": "lm",
                "for_each": {"k": [1, 2]},
                "model": "m",
                "prompt": "{{ question }}",
            },
            "t": {"kind": "tool", "tool": "vote", "args": {"texts": "draft"}, **tool},
            "answer": {"kind": "lm", "model": "m", "prompt": "{{ t }}"},
        },
        "edges": ["question -> draft", "draft -> t", "t -> answer"],
        "outputs": ["answer"],
    }
    return renamed(sysgraph.compile(sysgraph.load(json.dumps(graph))), registered)


def renamed(program: Program, tool: str) -> Program:
    """The program with another tool in place of `vote`: a program may be read on another machine
    than the one it was compiled on, so its tools are looked up again."""
    return Program.from_json(program.to_json().replace('"name": "vote"', f'"name": "{tool}"'))


def completed(program: Program, first: str, second: str = "a-b") -> Trace:
    texts = {"draft[1]": first, "draft[2]": second, "answer": "no"}
    values = {name: Completion(text) for name, text in texts.items()}
    return complete(program, Trace({"question": "what"}, values, program.outputs))


def test_arguments_and_settings(calls: list[dict[str, Any]]) -> None:
    trace = completed(program(settings={"sep": "+"}), "a-b")
    assert trace["t"] == "a-b+a-b"
    assert calls == [{"texts": ["a-b", "a-b"], "sep": "+"}]


def test_a_plain_function_is_a_tool() -> None:
    assert completed(program("function"), "a-b")["t"] == "a-b,a-b"


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_a_failure_on_a_pair_names_its_row_and_side(side: str) -> None:
    good = {"draft": ["a-b", "a-b"], "answer": "no"}
    rows = [{"question": "q", "chosen": good, "rejected": good}] * 2
    rows[1] = {**rows[1], side: {**good, "draft": ["a-b", "no"]}}
    with pytest.raises(DataError) as caught:
        load_pairs(program(), rows)
    (problem,) = caught.value.problems
    assert problem.startswith(
        f"row 2: {side}: tool 'join' (node t), called with texts=['a-b', 'no']"
    )


def test_equal_calls_are_made_once(calls: list[dict[str, Any]]) -> None:
    compiled = program()
    for _ in range(3):
        completed(compiled, "a-b")
    assert len(calls) == 1
    assert complete(compiled, completed(compiled, "no-no"))["t"] == "no-no,a-b"
    assert len(calls) == 2


def test_sampling_calls_it_on_what_was_drawn() -> None:
    system = System(program(on_failure="default", default="none"), device="cpu")
    traces = system.sample({"question": "q"}, n=30)
    for trace in traces:
        drafts = [str(trace["draft[1]"]), str(trace["draft[2]"])]
        assert trace["t"] == ("none" if "no" in drafts else ",".join(drafts))
    assert len({trace["t"] for trace in traces}) == 2


def test_a_failure_rejects() -> None:
    trace = completed(program(on_failure="reject"), "no")
    assert trace.nonexistent == trace.rejected == {"t", "answer"}
    assert trace.failed


def test_a_failure_without_policy_names_tool_arguments_and_row() -> None:
    said = r"tool 'join' \(node t\), called with texts=\['no', 'a-b'\], has no value: a no.*what"
    with pytest.raises(RunError, match=said):
        completed(program(), "no")


@pytest.mark.parametrize("on_failure", [{}, {"on_failure": "reject"}])
def test_another_exception_is_an_error_of_the_run(on_failure: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"tool 'join' .* raised KeyError: 'deep inside'") as caught:
        completed(program(**on_failure), "bug")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_wrong_return_type() -> None:
    with pytest.raises(RunError, match=r"tool 'join' .* returned 3; expected a text"):
        completed(program(), "number")


def test_a_list() -> None:
    compiled = sysgraph.compile(
        sysgraph.load("""
sysgraph: 1
name: g
models: {m: {kind: table, values: [x]}}
nodes:
  question: {kind: input}
  parts: {kind: tool, tool: vote, args: {text: question}, returns: list}
  answer: {kind: lm, model: m, prompt: "{{ parts | join }}"}
edges: [question -> parts, parts -> answer]
outputs: [answer]
""")
    )
    assert complete(renamed(compiled, "split"), Trace({"question": "a-b"}, {}))["parts"] == (
        "a",
        "b",
    )


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ({"registered": "jion"}, "no tool is registered as 'jion'; did you mean `join`?"),
        ({"registered": "broken"}, r"tool 'broken' .* cannot be loaded"),
        ({"registered": "missing"}, r"tool 'missing' .* cannot be loaded: No module named"),
        ({"registered": "number"}, r"tool 'number' .* is no sysgraph.Tool and no function.*: 3"),
        ({"args": {"textes": "draft"}}, r"node t gives it \(textes\).*; it takes \(texts"),
        ({"settings": {"top": 3}}, r"unexpected keyword argument 'top'"),
    ],
)
def test_what_is_told_before_models_are_loaded(
    tool: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(kind: str) -> Callable[..., Any]:
        raise AssertionError(f"an engine for {kind} was made")

    monkeypatch.setattr("sysgraph.system.engines.engine_of", never)
    with pytest.raises(InputError, match=said):
        System(program(**tool), device="cpu")
