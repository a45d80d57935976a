"""Loops that end by themselves: their variables, what templates may ask, and their picture."""

import pytest

import sysgraph
from sysgraph import GraphError, Program
from sysgraph_compiler.drawing import diagram

HEAD = """
name: example
models:
  m: {kind: table, values: [a, b]}
  c: {kind: table, values: [ok, bad]}
parsers:
  parts: {kind: split, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  question: {kind: input}
"""
REFINE = """
  draft: {kind: lm, model: m, prompt: "{{ question }} {{ critique }} {{ round }}/{{ rounds }}"}
  verdict: {kind: choice, model: c, prompt: "{{ draft }}", options: [ok, bad]}
  critique: {kind: lm, model: m, prompt: "{{ draft }}", when: {verdict: bad}}
  answer: {kind: lm, model: m, prompt: "{{ draft }}"}
edges: [question -> draft, draft -> verdict, "draft, verdict -> critique", draft -> answer]
loops:
  refine:
    repeat: 3
    until: {verdict: ok}
    nodes: [draft, verdict, critique]
    carry: [critique -> draft]
outputs: [answer, draft]
"""
DEBATE = """
  argument:
    kind: lm
    for_each: {agent: [i, j]}
    model: m
    prompt: "{{ question }} PROMPT"
  other: {kind: lm, model: m, prompt: "{{ question }}"}
edges: [question -> argument, question -> other]
loops:
  turns: {repeat: 2, nodes: [argument], carry: [argument -> argument], history: [argument]}
outputs: [argument, other]
"""


def compiled(text: str) -> Program:
    return sysgraph.compile(sysgraph.load(HEAD + text))


def test_a_turn_runs_where_the_one_before_did_not_end_the_loop() -> None:
    program = compiled(REFINE)
    gates = {v.name: [(g.choice, g.options) for g in v.gates] for v in program.variables}
    assert gates["draft[1]"] == []
    assert gates["verdict[3]"] == [("verdict[2]", ("bad",))]
    assert gates["critique[2]"] == [("verdict[2]", ("bad",)), ("verdict[1]", ("bad",))]
    last = program.variable("draft[last]")
    assert last.parents == ("draft[3]", "draft[2]", "draft[1]")
    assert program.variable("answer").parents == ("draft[last]",)
    assert program.outputs == ("answer", "draft[last]")
    gated = {term.variable for term in program.terms if term.gated}
    later = {v.name for v in program.variables if v.turn is not None and v.turn.number > 1}
    assert gated == later | {"critique[1]"}
    text = str(program)
    assert "[verdict[2] = bad] log p_m(draft[3] | question, critique[2])" in text
    assert "draft of the last turn that ran" in text


def test_the_picture_has_the_condition_on_the_arrow_back() -> None:
    drawing = diagram(compiled(REFINE))
    title = {box.id: box.title for box in drawing.boxes}
    links = {(title[k.source], title[k.target], k.kind): k.label for k in drawing.links}
    assert links["verdict", "draft", "until"] == "until ok"
    assert links["critique", "draft", "next"] == "refine · next turn"
    assert {box.title: box.turns for box in drawing.boxes if box.turns} == dict.fromkeys(
        ("draft", "verdict", "critique"), "≤3"
    )
    assert sorted(box.title for box in drawing.boxes if box.output) == ["answer", "draft"]


def test_a_loop_over_a_list_is_drawn_without_its_elements_as_copies() -> None:
    program = compiled("""
  words: {kind: parse, parser: parts}
  note: {kind: lm, model: m, prompt: "{{ element }} {{ note }}"}
edges: [question -> words]
loops: {read: {over: words, nodes: [note], carry: [note -> note]}}
outputs: [note]
""")
    (box,) = (box for box in diagram(program).boxes if box.title == "note")
    assert (box.turns, box.badge, box.items) == ("≤3", "", "")
    note = program.variable("note[2]")
    assert note.parents == ("note[1]", "words")
    assert note.elements["element"].index == 2


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{% for a in argument | others %}{{ a.agnet }}{% endfor %}", "has no `.agnet`"),
        ("{{ argument.agent }}", "is a list of texts and has no `.agent`"),
        ("{{ question.agent }}", "`question` is a text and has no `.agent`"),
        ("{% for q in [question] | others %}{{ q }}{% endfor %}", "leaves out this copy's own"),
        ("{% for t in turns %}{{ t }}{% endfor %}", "would be printed with braces"),
        ("{{ turns }}", "`turns` is a list of records"),
        ("{% for t in turns %}{{ t.question }}{% endfor %}", "has no `.question`"),
        ("{{ argument.__class__ }}", "the attribute `.__class__` is not allowed"),
    ],
)
def test_templates_ask_for_what_there_is(prompt: str, said: str) -> None:
    with pytest.raises(GraphError) as error:
        compiled(DEBATE.replace("PROMPT", prompt))
    assert any(said in diagnostic.message for diagnostic in error.value.diagnostics)


def test_a_history_is_seen_after_the_loop_by_who_has_the_edges() -> None:
    text = DEBATE.replace("PROMPT", "{% for t in turns %}{{ t.argument | join }}{% endfor %}")
    reads = text.replace(
        'other: {kind: lm, model: m, prompt: "{{ question }}"}',
        """other:
    kind: lm
    model: m
    prompt: "{% for t in turns %}{{ t.argument | join }}{% endfor %}"
""",
    )
    with pytest.raises(GraphError) as error:
        compiled(reads)
    helps = [d.help or "" for d in error.value.diagnostics if d.code == "SG403"]
    assert any("add to `edges`: - argument -> other" in help for help in helps)
    program = compiled(reads.replace("question -> other", "argument -> other"))
    assert program.variable("other").parents == tuple(
        f"argument[{agent},{turn}]" for turn in (1, 2) for agent in "ij"
    )
