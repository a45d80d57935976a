"""Every independent problem in one go, and none that only follows from another."""

import pytest

import sysgraph_compiler
from sysgraph_schemas import Graph, GraphError, InputNode, LMNode, Table, read
from sysgraph_schemas.diagnostics import in_order

GOOD = """\
name: x
models:
  ada: {kind: causal_lm, id: gpt2}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
edges:
  - question -> draft
  - question, draft -> answer
outputs: [answer]
"""


def problems(text: str) -> list[tuple[str, str]]:
    reading = read(text)
    checked = sysgraph_compiler.check(reading.graph) if reading.graph else ()
    found = in_order([*reading.diagnostics, *checked])
    return [(d.code, d.place.removeprefix("<text>:")) for d in found]


def edited(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_the_good_one() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([("  ada:", "  adda:")], "SG301"),  # twice, and `adda` is not "never used" besides
        ([("draft: {kind: lm", "draft: {kind: llm")], "SG104"),  # draft is gone: nobody misses it
        ([("draft: {kind: lm, model", "draft: {kind: lm, modle")], "SG101"),  # nor a model, in it
        ([("question -> draft", "qestion -> draft")], "SG202"),  # nor the edge that was meant
        ([("question -> draft", "question => draft")], "SG201"),
        ([("question, draft -> answer", "question, draft -> anwser")], "SG202"),
        ([("models:", "modles:")], "SG101"),
        ([("nodes:", "node:")], "SG101"),
        ([("edges:", "edge:")], "SG101"),
        ([("outputs: [answer]", "outputs: answer")], "SG103"),
        ([("outputs: [answer]", "outputs: [anwser]")], "SG208"),
        ([('"{{ question }} {{ draft }}"', '"{{ question }} {{ drfat }}"')], "SG403"),
        ([('"{{ question }} {{ draft }}"', '"{{ question }} {{ draft }"')], "SG401"),
        ([("{kind: causal_lm, id: gpt2}", "{kind: causal_lm, id: 3}")], "SG103"),
        ([("question: {kind: input}", "question: {kind: input, value: 3}")], "SG101"),
        ([("- question -> draft", "- answer -> draft")], "SG205"),
    ],
)
def test_one_mistake_is_one_kind_of_problem(changes: list[tuple[str, str]], code: str) -> None:
    found = problems(edited(*changes))
    if code == "SG205":  # the edge was replaced, so its absence is a mistake of its own
        found = [one for one in found if one[0] != "SG404"]
        found = [one for one in found if one[0] != "SG405"]
    assert {code for code, _ in found} == {code}


def test_many_mistakes_of_every_stage_at_once() -> None:
    text = edited(
        ("name: x", "name: x\nname: y"),
        ("{kind: causal_lm, id: gpt2}", "{kind: causal_lm, id: gpt2, train: half}"),
        ("question: {kind: input}", "question: {kind: input}\n  other: {kind: lm, prompt: hi}"),
        ('prompt: "{{ question }}"}', 'prompt: "{{ question.upper() }}"}'),
        ("  - question, draft -> answer", "  - question -> answer\n  - question -> nowhere"),
    )
    assert problems(text + "fit: {beta: 0}\n") == [
        ("SG003", "2:1"),
        ("SG105", "4:43"),
        ("SG102", "7:3"),
        ("SG402", "8:54"),
        ("SG404", "9:61"),
        ("SG202", "13:17"),
        ("SG105", "15:13"),
    ]


def test_a_graph_written_in_python_is_placed_by_path() -> None:
    graph = Graph(
        name="x",
        models={"m": Table(values=["a"])},
        nodes={"q": InputNode(), "a": LMNode(model="n", prompt="{{ r }}")},
        edges=["q -> a", "q -> b"],
        outputs=["a"],
    )
    with pytest.raises(GraphError) as caught:
        sysgraph_compiler.compile(graph)
    assert [(d.code, d.place) for d in caught.value.diagnostics] == [
        ("SG202", "edges[1]"),
        ("SG301", "nodes.a.model"),
        ("SG403", "nodes.a.prompt"),
    ]
    assert str(caught.value).startswith("edges[1]: error[SG202]: an edge to `b`, which is no node")


def test_warnings_do_not_stop_the_compiler() -> None:
    text = edited(("models:\n", "models:\n  bo: {kind: causal_lm, id: gpt2}\n"))
    graph = read(text).graph
    assert graph is not None
    assert [d.code for d in sysgraph_compiler.check(graph)] == ["SG303"]
    assert sysgraph_compiler.compile(graph).terms


def test_what_is_left_of_a_broken_file_does_not_compile() -> None:
    graph = read(edited(("draft: {kind: lm", "draft: {kind: llm"))).graph
    assert graph is not None
    with pytest.raises(GraphError):
        sysgraph_compiler.compile(graph)


def test_only_the_first_hundred_of_a_kind_are_shown() -> None:
    edges = "".join(f"  - question -> x{i}\n" for i in range(300))
    graph = read(GOOD.replace("edges:\n", f"edges:\n{edges}")).graph
    assert graph is not None
    found = [d for d in sysgraph_compiler.check(graph) if d.code == "SG202"]
    assert len(found) == 100
    assert "only the first 100" in found[-1].notes[0].message


def test_what_a_loop_remembers_of_a_broken_node() -> None:
    text = """\
name: x
models:
  ada: {kind: causal_lm, id: gpt2}
nodes:
  question: {kind: input}
  draft:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for t in tries %}{{ t.verdict }}{% endfor %}"
  verdict: {kind: choice, modle: ada, prompt: "{{ draft }}", options: [ok, bad]}
  answer: {kind: lm, model: ada, prompt: "{% for t in tries %}{{ t.verdict }}{% endfor %}"}
edges: [question -> draft, draft -> verdict, "draft, verdict -> answer"]
loops:
  tries: {repeat: 2, until: {verdict: ok}, nodes: [draft, verdict], history: [draft, verdict]}
outputs: [answer]
"""
    assert [code for code, _ in problems(text)] == ["SG101"]
