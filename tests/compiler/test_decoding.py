"""What nodes say of how they are drawn, in a program and in what is printed of it."""

import sysgraph_compiler
from sysgraph_compiler import Program
from sysgraph_compiler.drawing import render
from sysgraph_schemas import Decoding, load

GRAPH = """
name: own settings
models:
  ada: {kind: causal_lm, id: gpt2, max_new_tokens: 64, temperature: 0.7, stop: ["\\n"]}
nodes:
  question: {kind: input}
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [x, y], temperature: 0}
  draft: {kind: lm, model: ada, prompt: "{{ question }}", top_p: 0.5, stop: ["\\n", "END"]}
  answer: {kind: lm, model: ada, prompt: "{{ draft }} {{ route }}", stop: [], max_new_tokens: 8}
edges: [question -> route, question -> draft, draft -> answer, route -> answer]
outputs: [answer]
"""


def test_a_node_over_its_model() -> None:
    program = sysgraph_compiler.compile(load(GRAPH))
    model = program.models["ada"].decoding
    assert {v.name: v.decoding.over(model) for v in program.variables if not v.is_given} == {
        "route": Decoding(64, 0.0, 1.0, ("\n",)),
        "draft": Decoding(64, 0.7, 0.5, ("\n", "END")),
        "answer": Decoding(8, 0.7, 1.0, ()),
    }
    assert Program.from_json(program.to_json()) == program


def test_what_is_printed_says_it() -> None:
    program = sysgraph_compiler.compile(load(GRAPH))
    lines = [line.split("  ")[-1].strip() for line in str(program).splitlines()]
    assert "temperature 0" in lines
    assert r'top_p 0.5, stop "\n" or "END"' in lines
    assert "output; max_new_tokens 8, stop nothing" in lines
    assert r"top_p 0.5, stop \"\\n\" or \"END\"" in render(program, ".html").decode()
