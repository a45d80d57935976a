"""When nodes run, against going through every way that choices and lists can come out."""

from collections.abc import Iterator
from itertools import islice, product

import pytest
from hypothesis import assume, given, settings

from sysgraph_compiler.facts import Facts
from sysgraph_compiler.passes import expand, factorize, link
from sysgraph_compiler.pipeline import check
from sysgraph_compiler.program import Program
from sysgraph_compiler.variable import Variable
from sysgraph_schemas import Graph, load

from .test_properties import systems

MOST = 3000


def linked(facts: Facts) -> Program:
    graph = facts.graph
    program = Program(name="x", models=graph.models, variables=(), terms=(), outputs=())
    for one in (expand, link, factorize):
        program = one.run(facts, program)
    return program


def ways(facts: Facts, program: Program) -> Iterator[dict[str, str | int]]:
    """Every value of every choice, and every length of every list that elements are taken from."""
    lists = {element.list for v in program.variables for element in v.elements.values()}
    answers: dict[str, list[str | int]] = {}
    for variable in program.variables:
        if variable.options:
            answers[variable.name] = list(variable.options)
        if variable.name in lists:
            lengths = facts.expansion.fewest(variable.node), facts.expansion.most(variable.node)
            answers[variable.name] = list(range(lengths[0], lengths[1] + 1))
    for values in islice(product(*answers.values()), MOST + 1):
        yield dict(zip(answers, values, strict=True))


def running(program: Program, way: dict[str, str | int]) -> set[str]:
    """The variables that exist, by the words of `Variable`."""
    found: set[str] = set()
    node_of = {variable.name: (variable.node, variable.turn) for variable in program.variables}
    for variable in program.variables:
        if all(_holds(variable, found, way)) and _has_parents(variable, found, node_of):
            found.add(variable.name)
    return found


def _holds(variable: Variable, found: set[str], way: dict[str, str | int]) -> Iterator[bool]:
    for gate in variable.gates:
        yield gate.choice in found and way[gate.choice] in gate.options
    for element in variable.elements.values():
        yield element.list in found and int(way[element.list]) >= element.index


def _has_parents(variable: Variable, found: set[str], node_of: dict[str, object]) -> bool:
    others = {gate.choice for gate in variable.gates}
    others |= {element.list for element in variable.elements.values()}
    groups: dict[object, list[bool]] = {}
    for parent in variable.parents:
        if parent not in others:
            groups.setdefault(node_of[parent], []).append(parent in found)
    there = [any(group) for group in groups.values()]
    return any(there) if variable.selects else all(there)


@settings(max_examples=150, deadline=None)
@given(systems())
def test_outputs_are_there_in_every_way(data: dict[str, object]) -> None:
    facts = Facts(Graph.model_validate(data))
    codes = {diagnostic.code for diagnostic in check(facts.graph)}
    assume(facts.has_ways and not codes & {"SG907", "SG905"})
    program = linked(facts)
    every = [running(program, way) for way in ways(facts, program)]
    assume(len(every) <= MOST)
    always = all(found & set(program.outputs) for found in every)
    assert always == (not codes & {"SG906", "SG909"})


LOOP = """\
name: x
models: {m: {kind: table, values: [a, b]}}
nodes:
  q: {kind: input}
  draft: {kind: lm, model: m, prompt: "{{ q }} {{ chosen }}"}
  judge: {kind: choice, model: m, prompt: "{{ draft }}", options: [a, b]}
  one: {kind: lm, model: m, prompt: "{{ draft }}", when: {judge: a}}
  two: {kind: lm, model: m, prompt: "{{ draft }}", when: {judge: b}}
  chosen: {kind: select}
edges:
  - q -> draft
  - draft -> judge
  - draft, judge -> one, two
  - one, two -> chosen
loops:
  l: {repeat: 3, nodes: [draft, judge, one, two, chosen], carry: [chosen -> draft]}
outputs: [chosen]
"""


@pytest.mark.parametrize(
    ("carry", "fine"), [("chosen -> draft", True), ("one -> draft", False), ("two -> two", False)]
)
def test_a_turn_needs_what_the_one_before_gives(carry: str, fine: bool) -> None:
    graph = load(LOOP.replace("chosen -> draft", carry))
    facts = Facts(graph)
    program = linked(facts)
    every = [running(program, way) for way in ways(facts, program)]
    assert all(found & set(program.outputs) for found in every) == fine
    assert ("SG906" in {diagnostic.code for diagnostic in check(graph)}) == (not fine)
