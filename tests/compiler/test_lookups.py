"""What a program looks up of its variables, and that a changed copy looks up its own."""

import networkx as nx
import pytest

import sysgraph_compiler
from sysgraph_schemas import load

GRAPH = load(
    "sysgraph: 1\nname: g\n"
    "models: {m: {kind: table, values: [a, b]}}\n"
    "nodes:\n"
    "  x: {kind: input}\n"
    "  one: {kind: lm, model: m, prompt: '{{ x }}'}\n"
    "  two: {kind: lm, model: m, prompt: '{{ x }}'}\n"
    "  both: {kind: lm, model: m, prompt: '{{ one }}{{ two }}{{ x }}'}\n"
    "edges: ['x -> one, two, both', 'one, two -> both']\n"
    "outputs: [both]\n"
)


def test_layers_are_the_longest_ways_from_the_inputs() -> None:
    program = sysgraph_compiler.compile(GRAPH)
    dag = nx.DiGraph((p, v.name) for v in program.variables for p in v.parents)
    generations = [set(layer) for layer in nx.topological_generations(dag)]
    assert [{v.name for v in layer} for layer in program.layers] == generations[1:]
    assert {name: program.depths[name] for name in dag} == {
        name: depth for depth, layer in enumerate(generations) for name in layer
    }


def test_an_input_has_no_term() -> None:
    program = sysgraph_compiler.compile(GRAPH)
    assert (program.variable("x").kind, program.find_term("x")) == ("input", None)
    assert (program.model_of("x"), program.model_of("two")) == (None, "m")
    with pytest.raises(KeyError, match="x"):
        program.term("x")
    with pytest.raises(KeyError, match="nobody"):
        program.variable("nobody")


def test_a_changed_copy_knows_its_own_terms() -> None:
    program = sysgraph_compiler.compile(GRAPH)
    assert program.term("one").status == "trained"
    frozen = tuple(t.model_copy(update={"status": "frozen"}) for t in program.terms)
    copy = program.model_copy(update={"terms": frozen})
    assert (copy.term("one").status, program.term("one").status) == ("frozen", "trained")
