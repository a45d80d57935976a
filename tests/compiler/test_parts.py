"""A graph with parts is the graph in which somebody wrote them out by hand."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import sysgraph_compiler
from sysgraph_compiler import Program, render_template
from sysgraph_compiler.drawing import render
from sysgraph_schemas import GraphError, dump, load

PARTS = {
    "parts/team.yaml": """
name: team
vars: {agents: [ada, bo], turns: 2}
models:
  ada: {kind: table, values: [red, blue]}
  bo: {kind: table, values: [red, blue], probs: [[0.2, 0.8]]}
parsers:
  words: {kind: split, min_items: 1, max_items: 2, on_failure: reject}
nodes:
  question: {kind: input}
  hint: {kind: input}
  draft: {kind: lm, for_each: {agent: "${agents}"}, model: "{{ agent }}", prompt: "{{ question }}"}
  plan: {kind: lm, model: ada, prompt: {file: prompts/plan.txt}}
  steps: {kind: parse, parser: words}
  step: {kind: lm, for_each: {s: steps}, model: bo, prompt: "{{ s }} {{ hint }}"}
  better: {kind: lm, model: bo, prompt: "{{ step | join }} {{ better }}"}
  vote: {kind: tool, tool: vote, args: {votes: draft}}
edges:
  - question -> draft
  - question, hint, draft -> plan
  - plan -> steps
  - steps, hint -> step
  - step -> better
  - draft -> vote
loops:
  refine: {repeat: "${turns}", nodes: [better], carry: [better -> better]}
outputs: [better, vote]
fit: {steps: nonsense}
""",
    "parts/prompts/plan.txt": "{{ question }}\n{{ draft | join }} {{ hint }}\n",
    "parts/route.yaml": """
name: route
models:
  router: {kind: table, values: [math, code]}
nodes:
  question: {kind: input}
  which: {kind: choice, model: router, prompt: "{{ question }}", options: [math, code]}
edges: [question -> which]
outputs: [which]
""",
    "parts/say.yaml": """
name: say
models:
  writer: {kind: table, values: [red, blue]}
nodes:
  question: {kind: input}
  feedback: {kind: input}
  route: {use: route.yaml}
  answer: {kind: lm, model: writer, prompt: "{{ question }} {{ feedback }} {{ route }}"}
edges: [question -> route, "question, feedback, route -> answer"]
outputs: [answer]
""",
}
TOP = """
name: top
models:
  ada: {kind: table, values: [red, blue]}
nodes:
  task: {kind: input}
  route: {use: parts/route.yaml}
  team:
    use: parts/team.yaml
    inputs: {question: task, hint: task}
    models: {bo: ada}
    when: {route: math}
    vars: {turns: 3}
  coder: {kind: lm, model: ada, prompt: "{{ task }} {{ route }}", when: {route: code}}
  final: {kind: select}
  say: {use: parts/say.yaml, inputs: {question: final}}
  critic: {kind: lm, model: ada, prompt: "{{ say }} {{ critic }} {{ final }}"}
  end: {kind: lm, model: ada, prompt: "{{ critic }} {{ team.vote }}", when: {route: [math]}}
  last: {kind: select}
edges:
  - task -> route
  - route -> team
  - task, route -> coder
  - team.better, coder -> final
  - final -> say
  - say, final -> critic
  - critic, team.vote, route -> end
  - end, coder -> last
loops:
  talk: {repeat: 2, nodes: [say, critic], carry: [critic -> say, critic -> critic]}
outputs: [last]
"""
BY_HAND = """
name: top
models:
  ada: {kind: table, values: [red, blue]}
  route_router: {kind: table, values: [math, code]}
  team_ada: {kind: table, values: [red, blue]}
  say_writer: {kind: table, values: [red, blue]}
  say_route_router: {kind: table, values: [math, code]}
parsers:
  team_words: {kind: split, min_items: 1, max_items: 2, on_failure: reject}
nodes:
  task: {kind: input}
  route_which:
    {kind: choice, model: route_router, prompt: "{{ task }}", options: [math, code]}
  team_draft: {kind: lm, for_each: {agent: [team_ada, ada]}, model: "{{ agent }}",
    prompt: "{{ task }}", when: {route_which: math}}
  team_plan: {kind: lm, model: team_ada, prompt: "{{ task }}\\n{{ team_draft | join }} {{ task }}"}
  team_steps: {kind: parse, parser: team_words}
  team_step: {kind: lm, for_each: {s: team_steps}, model: ada, prompt: "{{ s }} {{ task }}"}
  team_better: {kind: lm, model: ada, prompt: "{{ team_step | join }} {{ team_better }}"}
  team_vote: {kind: tool, tool: vote, args: {votes: team_draft}}
  coder: {kind: lm, model: ada, prompt: "{{ task }} {{ route_which }}", when: {route_which: code}}
  final: {kind: select}
  say_route_which:
    {kind: choice, model: say_route_router, prompt: "{{ final }}", options: [math, code]}
  say_answer:
    {kind: lm, model: say_writer, prompt: "{{ final }} {{ critic }} {{ say_route_which }}"}
  critic: {kind: lm, model: ada, prompt: "{{ say_answer }} {{ critic }} {{ final }}"}
  end: {kind: lm, model: ada, prompt: "{{ critic }} {{ team_vote }}", when: {route_which: [math]}}
  last: {kind: select}
edges:
  - task, route_which -> coder
  - team_better, coder -> final
  - say_answer, final -> critic
  - critic, team_vote, route_which -> end
  - end, coder -> last
  - task -> route_which
  - task -> team_draft
  - task, team_draft -> team_plan
  - team_plan -> team_steps
  - team_steps, task -> team_step
  - team_step -> team_better
  - team_draft -> team_vote
  - route_which -> team_draft
  - final, say_route_which -> say_answer
  - final -> say_route_which
loops:
  talk:
    repeat: 2
    nodes: [say_answer, say_route_which, critic]
    carry: [critic -> say_answer, critic -> critic]
  team_refine: {repeat: 3, nodes: [team_better], carry: [team_better -> team_better]}
outputs: [last]
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name, text in {**PARTS, "top.yaml": TOP}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "top.yaml"


def meaning(program: Program) -> dict[str, Any]:
    """What each variable is: its prompt over other variables, its model, parents and gates."""

    def said(name: str) -> str:
        return re.sub(r"\[(team_)?(ada|bo)", "[x", name.replace(".", "_"))

    def value(part: str | tuple[str, ...], names: Mapping[str, int]) -> object:
        return said(part) if isinstance(part, str) else [said(name) for name in part]

    number = {variable.name: i for i, variable in enumerate(program.variables)}
    found = {}
    seen: dict[str, int] = {}
    for variable in program.variables:
        scope = {name: value(part, number) for name, part in variable.scope.items()}
        scope |= dict.fromkeys(variable.empty, "") | dict.fromkeys(variable.elements, "element")
        prompt = variable.prompt and render_template(variable.prompt, {**scope, "agent": "x"})
        name = said(variable.name)
        seen[name] = seen.get(name, 0) + 1
        found[f"{name}#{seen[name]}"] = (
            prompt,
            said(program.model_of(variable.name) or ""),
            sorted(map(said, variable.parents)),
            [(said(gate.choice), gate.options) for gate in variable.gates],
            variable.tool and [value(p, number) for p in variable.tool.arguments.values()],
        )
    return found


def test_it_is_what_somebody_writes_out_by_hand(top: Path) -> None:
    program = sysgraph_compiler.compile(load(top))
    wanted = sysgraph_compiler.compile(load(BY_HAND))
    assert len(wanted.variables) == 22
    ours, theirs = meaning(program), meaning(wanted)
    assert ours.keys() == theirs.keys()
    for name, found in ours.items():
        assert found == theirs[name], name


def test_one_flat_file_is_the_same_program(top: Path) -> None:
    graph = load(top)
    text = dump(graph)
    for path in (*top.parent.rglob("*.yaml"), *top.parent.rglob("*.txt")):
        path.unlink()
    program = sysgraph_compiler.compile(graph)
    assert load(text) == graph
    assert sysgraph_compiler.compile(load(text)).to_json() == program.to_json()
    assert Program.from_json(program.to_json()) == program


def test_the_command_line_reaches_into_parts(top: Path) -> None:
    graph = load(
        top,
        ["models.say.route.router.values=[code, math]", "nodes.team.vars.turns=1", "fit.beta=0.5"],
    )
    assert graph.models["say.route.router"].outcomes == ("code", "math")
    assert graph.loops["team.refine"].repeat == 1
    again = load(dump(graph), ["models.say.writer.values=[green]"])
    assert again.models["say.writer"].outcomes == ("green",)


def test_problems_stand_in_the_file_that_must_be_changed(top: Path) -> None:
    plan = top.parent / "parts" / "prompts" / "plan.txt"
    plan.write_text("{{ question }}\r\n{{ drat | join }} {{ hint }} {{ draft }}", encoding="utf-8")
    route = top.parent / "parts" / "route.yaml"
    route.write_text(PARTS["parts/route.yaml"].replace("model: router", "model: ruoter"))
    found = sysgraph_compiler.diagnose(top)
    places = {
        (d.code, str(d.span and d.span.file)[len(f"{top.parent}/") :], d.span.line)
        for d in found
        if d.span
    }
    assert ("SG403", "parts/prompts/plan.txt", 2) in places
    assert ("SG301", "parts/route.yaml", 7) in places
    (drat,) = [d.span for d in found if d.code == "SG403" and d.span]
    assert drat.text[drat.column - 1 : drat.end_column - 1] == "drat"
    assert len([d for d in found if d.code == "SG301"]) == 1  # told once, though it is used twice


def test_an_edge_of_a_part_is_marked_by_its_own_names(top: Path) -> None:
    part = top.parent / "parts" / "say.yaml"
    part.write_text(PARTS["parts/say.yaml"].replace(" {{ route }}", ""), encoding="utf-8")
    (found,) = [d for d in sysgraph_compiler.diagnose(top) if d.code == "SG405"]
    assert found.span is not None
    assert found.span.file == str(part)
    line, start, end = found.span.text, found.span.column - 1, found.span.end_column - 1
    assert (line[start:end], line[end : end + 3]) == ("route", " ->")


def test_several_uses_share_weights_or_not_as_they_say(top: Path) -> None:
    head = "name: two\nmodels: {}\nnodes:\n  q: {kind: input}\n  a: {use: parts/say.yaml}\n"
    tail = "edges: ['q -> a, b']\noutputs: [a, b]\n"
    given = "inputs: {question: q, feedback: q}"
    head = head.replace("say.yaml}", f"say.yaml, {given}}}")
    for said, models in (
        ("models: own", {"a.writer", "a.route.router", "b.writer", "b.route.router"}),
        ("models: {writer: a.writer}", {"a.writer", "a.route.router", "b.route.router"}),
    ):
        top.write_text(f"{head}  b: {{use: parts/say.yaml, {given}, {said}}}\n{tail}")
        assert {*load(top).models} == models
    top.write_text(f"{head}  b: {{use: parts/say.yaml, {given}}}\n{tail}")
    with pytest.raises(GraphError, match="SG116"):
        load(top)


def test_a_part_is_a_frame_in_every_picture(top: Path) -> None:
    program = sysgraph_compiler.compile(load(top))
    dot = render(program, ".dot").decode()
    assert re.search(r'{\n    graph \[label="say".*?subgraph cluster', dot, re.S)
    assert render(program, ".mmd").decode().count("subgraph") == 4
    page = render(program, ".html").decode()
    assert page.count('class="sg-box sg-frame"') == 4
    assert '"label":"team, a part","nodes":["team.draft","team.plan"' in page
