"""Gaps in traces: what is recomputed, what never existed, and what was not observed."""

import pytest

import sysgraph
from sysgraph import Completion, InputError, Program, Trace
from sysgraph.engines.requests import requests
from sysgraph.traces.course import complete

GRAPH = """
sysgraph: 1
name: g
models:
  m: {kind: table, values: ["1", "2", "no"]}
parsers:
  number: {kind: regex, pattern: "[0-9]", on_failure: reject}
  words: {kind: split, separator: " "}
nodes:
  question: {kind: input}
  asked: {kind: parse, parser: words}
  draft: {kind: lm, for_each: {k: [x, y]}, model: m, prompt: "{{ k }}: {{ asked | join('-') }}"}
  n: {kind: parse, for_each: {k: [x, y]}, parser: number}
  answer: {kind: lm, model: m, prompt: "{{ question }}{% for i in n %} {{ i }}{% endfor %}"}
  side: {kind: lm, model: m, prompt: "{{ draft | first }}"}
  noted: {kind: parse, parser: number}
edges:
  - question -> asked
  - asked -> draft
  - draft -> n
  - question, n -> answer
  - draft -> side
  - side -> noted
outputs: [answer]
"""


@pytest.fixture(scope="module")
def program() -> Program:
    return sysgraph.compile(sysgraph.load(GRAPH))


def trace(program: Program, **texts: str) -> Trace:
    names = {"x": "draft[x]", "y": "draft[y]"}
    values = {names.get(name, name): Completion(text) for name, text in texts.items()}
    return Trace({"question": "how many"}, values, program.outputs)


def test_deterministic_values_are_recomputed(program: Program) -> None:
    full = complete(program, trace(program, x="1", y="2", answer="1", side="2"))
    assert (full["asked"], full["n[x]"], full["n[y]"], full["noted"]) == (
        ("how", "many"),
        "1",
        "2",
        "2",
    )
    assert not full.nonexistent
    assert complete(program, full) == full


def test_prompts_are_rendered_over_parents(program: Program) -> None:
    full = complete(program, trace(program, x="1", y="2", answer="1", side="2"))
    contexts = {name: request.context for name, request in requests(program, full)}
    assert contexts == {
        "draft[x]": "x: how-many",
        "draft[y]": "y: how-many",
        "answer": "how many 1 2",
        "side": "1",
    }


def test_what_hangs_on_a_rejected_text_is_dropped(program: Program) -> None:
    cut = complete(program, trace(program, x="1", y="no", answer="1", side="2"))
    assert cut.nonexistent == {"n[y]", "answer"}
    assert "answer" not in cut.values
    assert cut.failed
    assert [name for name, _ in requests(program, cut)] == ["draft[x]", "draft[y]", "side"]


def test_a_rejected_text_beside_the_way_to_the_outputs_is_no_failure(program: Program) -> None:
    beside = complete(program, trace(program, x="1", y="2", answer="1", side="no"))
    assert beside.nonexistent == {"noted"}
    assert not beside.failed
    assert beside.output() == "1"


def test_unobserved_is_not_nonexistent(program: Program) -> None:
    gap = complete(program, trace(program, x="1", answer="1", side="2"))
    assert not gap.nonexistent
    assert "n[y]" not in gap.values
    system = sysgraph.System(program, device="cpu")
    with pytest.raises(InputError, match=r"trace 1: draft\[y\] was not observed"):
        system.log_prob([trace(program, x="1", y="2", answer="1", side="2"), gap])


BRANCHES = """
sysgraph: 1
name: g
models:
  r: {kind: table, values: [digits, words, "none"]}
  m: {kind: table, values: ["1", "x"]}
parsers:
  number: {kind: regex, pattern: "[0-9]", on_failure: reject}
  items: {kind: split, max_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  route: {kind: choice, model: r, prompt: "{{ question }}", options: [digits, words, none]}
  raw: {kind: lm, model: m, prompt: "{{ question }}", when: {route: digits}}
  n: {kind: parse, parser: number}
  w: {kind: lm, model: m, prompt: "{{ question }}", when: {route: [words, digits]}}
  best: {kind: select}
  parts: {kind: parse, parser: items}
  each: {kind: lm, for_each: {part: parts}, model: m, prompt: "{{ part }} of {{ parts | join }}"}
edges:
  - question -> route
  - question, route -> raw, w
  - raw -> n
  - n, w -> best
  - question -> parts
  - parts -> each
outputs: [route, best, each]
"""


@pytest.fixture(scope="module")
def branches() -> Program:
    return sysgraph.compile(sysgraph.load(BRANCHES))


def branch(program: Program, question: str = "a", **texts: str) -> Trace:
    values = {name: Completion(text) for name, text in texts.items()}
    return complete(program, Trace({"question": question}, values, program.outputs))


def test_a_selection_takes_the_first_that_exists(branches: Program) -> None:
    assert branch(branches, route="digits", raw="1", w="x")["best"] == "1"
    assert branch(branches, route="words", w="x")["best"] == "x"


def test_a_selection_goes_on_where_a_branch_is_rejected(branches: Program) -> None:
    trace = branch(branches, route="digits", raw="x", w="x")
    assert (trace["best"], trace.rejected) == ("x", {"n"})
    assert not trace.failed


def test_a_selection_of_nothing(branches: Program) -> None:
    trace = branch(branches, route="none", raw="1", w="x")
    assert trace.nonexistent >= {"raw", "n", "w", "best"}
    assert not trace.rejected
    assert not trace.failed  # the other outputs are there
    assert "raw" not in trace.values


def test_an_unobserved_branch_is_not_passed_over(branches: Program) -> None:
    trace = branch(branches, route="digits", w="x")
    assert "best" not in trace.values
    assert "best" not in trace.nonexistent


def test_elements(branches: Program) -> None:
    names = {"each[1]": "1", "each[2]": "x"}
    one = branch(branches, "a", route="none", **names)
    assert one.nonexistent >= {"each[2]"}
    assert not one.failed
    two = branch(branches, "a,b", route="none", **names)
    contexts = {name: request.context for name, request in requests(branches, two)}
    assert (contexts["each[1]"], contexts["each[2]"]) == ("a of ab", "b of ab")
    three = branch(branches, "a,b,c", route="none", **names)
    assert three.rejected == {"parts", "each[1]", "each[2]"}
    assert three.failed


def test_a_choice_is_asked_for_with_its_options(branches: Program) -> None:
    trace = branch(branches, route="none", **{"each[1]": "1"})
    (request,) = [r for n, r in requests(branches, trace) if n == "route"]
    assert request.options == ("digits", "words", "none")
