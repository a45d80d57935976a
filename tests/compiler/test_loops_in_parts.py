"""A part with a loop, a record and history is, used by another graph, what it is alone."""

import json
from pathlib import Path
from typing import Any

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_schemas import load

AGENT = """
name: agent
models:
  caller: {kind: table, values: [a]}
  writer: {kind: table, values: [a]}
parsers:
  call:
    kind: json
    fields: {act: {options: [go, stop]}, args: {type: list, min_items: 1, max_items: 2}}
    on_failure: reject
nodes:
  question: {kind: input}
  said:
    kind: lm
    model: caller
    prompt: "{{ question }}{% for t in acts %}{{ t.said }}{% endfor %}"
  call: {kind: parse, parser: call}
  note:
    kind: lm
    model: writer
    messages:
      - {role: system, content: "{{ a }} {{ round }}"}
      - {for_each: {t: notes}, messages: [{role: user, content: "{{ t.note }}"}]}
  answer:
    kind: lm
    model: writer
    prompt: "{{ call.act }} {{ note }} {% for t in acts %}{{ t.call.act }} {{ t.said }}{% endfor %}"
edges:
  - question -> said
  - said -> call
  - call, said, note -> answer
loops:
  acts: {repeat: 3, until: {call.act: stop}, nodes: [said, call], history: [said, call]}
  notes: {over: call.args, as: a, nodes: [note], history: [note]}
outputs: [call, answer]
"""
TEAM = """
name: team
models: {}
nodes:
  task: {kind: input}
  one: {use: parts/agent.yaml, inputs: {question: task}}
edges: []
outputs: [one]
"""
REDO = """
name: redo
models:
  ada: {kind: table, values: [a]}
nodes:
  task: {kind: input}
  draft: {kind: lm, model: ada, prompt: "{{ task }}{% for t in tries %}{{ t.judge }}{% endfor %}"}
  judge: {use: parts/judge.yaml, inputs: {text: draft}}
  final:
    kind: lm
    model: ada
    prompt: "{% for t in tries %}{{ t.draft }} {{ t.judge }}{% endfor %}"
edges: [task -> draft, "draft, judge -> final"]
loops:
  tries: {repeat: 2, until: {judge: good}, nodes: [draft, judge], history: [draft, judge]}
outputs: [final]
"""
JUDGE = """
name: judge
models:
  critic: {kind: table, values: [good, bad]}
parsers:
  verdict: {kind: word, options: [good, bad], on_failure: abstain}
nodes:
  text: {kind: input}
  said: {kind: lm, model: critic, prompt: "{{ text }}"}
  verdict: {kind: parse, parser: verdict}
edges: [text -> said, said -> verdict]
outputs: [verdict]
"""
CALL = """
name: call
models:
  caller: {kind: table, values: [a]}
parsers:
  call: {kind: json, fields: {act: {options: [go, stop]}, query: text}, on_failure: reject}
nodes:
  question: {kind: input}
  said: {kind: lm, model: caller, prompt: "{{ question }}"}
  call: {kind: parse, parser: call}
edges: [question -> said, said -> call]
outputs: [call]
"""
ROUTE = """
name: route
models:
  ada: {kind: table, values: [a]}
nodes:
  task: {kind: input}
  one: {use: parts/call.yaml}
  go: {kind: lm, model: ada, when: {one.act: go}, prompt: "{{ one.act }} {{ one.query }}"}
  end: {kind: lm, model: ada, when: {one.act: stop}, prompt: "{{ one.act }}"}
edges: [task -> one, "one -> go, end"]
outputs: [go, end]
"""
SEVERAL = """
name: several
models:
  ada: {kind: table, values: [a]}
nodes:
  task: {kind: input}
  one: {use: parts/agent.yaml}
  end:
    kind: lm
    model: ada
    messages:
      - {for_each: {a: one.call.args}, messages: [{role: user, content: "{{ a }}"}]}
      - {role: user, content: "one.answer: {{ one.answer }}"}
edges: [task -> one, "one.call, one.answer -> end"]
outputs: [end]
"""


def compiled(folder: Path, name: str, text: str) -> Program:
    """A graph beside the parts; it must have no warnings either."""
    for part, content in (("agent", AGENT), ("judge", JUDGE), ("call", CALL)):
        (folder / "parts").mkdir(exist_ok=True)
        (folder / "parts" / f"{part}.yaml").write_text(content)
    (folder / name).write_text(text)
    graph = load(folder / name)
    assert list(sysgraph_compiler.check(graph)) == []
    return sysgraph_compiler.compile(graph)


def variables(program: Program) -> list[dict[str, Any]]:
    """Those that are generated."""
    return [v.model_dump(mode="json") for v in program.variables if not v.is_given]


def test_a_part_is_what_its_file_is(tmp_path: Path) -> None:
    alone = variables(compiled(tmp_path, "agent.yaml", AGENT))
    used = variables(compiled(tmp_path, "team.yaml", TEAM))
    text = json.dumps(used).replace('"one.', '"').replace('"task"', '"question"')
    found = json.loads(text)
    for one in (*alone, *found):
        one["scope"] = dict(sorted(one["scope"].items()))
    assert [one["name"] for one in found] == [one["name"] for one in alone]
    for one, other in zip(found, alone, strict=True):
        assert one == other


def test_a_loop_ends_by_the_field_of_a_record(tmp_path: Path) -> None:
    program = compiled(tmp_path, "agent.yaml", AGENT)
    (gate,) = program.variable("said[2]").gates
    assert (gate.choice, gate.options) == ("call.act[1]", ("go",))
    assert program.variable("note[2]").elements["a"].list == "call.args[last]"


def test_a_loop_remembers_the_output_of_a_part(tmp_path: Path) -> None:
    program = compiled(tmp_path, "redo.yaml", REDO)
    (turn,) = program.variable("draft[2]").history["tries"]
    assert turn.values == {"draft": "draft[1]", "judge": "judge.verdict[1]"}
    assert program.variable("draft[2]").gates[0].choice == "judge.verdict[1]"


def test_prompts_see_the_fields_of_a_parts_record(tmp_path: Path) -> None:
    program = compiled(tmp_path, "route.yaml", ROUTE)
    fields = {"one.act": "one.call.act", "one.query": "one.call.query"}
    assert program.variable("go").scope == fields
    assert program.variable("end").scope == {"one.act": "one.call.act"}


def test_messages_are_made_of_a_list_of_a_part_of_several_outputs(tmp_path: Path) -> None:
    program = compiled(tmp_path, "several.yaml", SEVERAL)
    end = program.variable("end")
    assert end.messages is not None
    scope = {name: [value] for name, value in end.scope.items()}
    turns = [turn for part in end.messages for turn in part.turns(scope)]
    assert [turn.names for turn in turns] == [{"a": "one.call.args[last]"}, {}]
    assert turns[1].content == "one.answer: {{ one__answer }}"
