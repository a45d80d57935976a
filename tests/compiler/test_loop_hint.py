"""What a message says to write as a loop: written so, the file compiles."""

import re

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sysgraph_compiler
from sysgraph_compiler.digraph import Digraph
from sysgraph_compiler.loop_hint import _back_edges
from sysgraph_schemas import read
from sysgraph_schemas.diagnostics import has_errors

HEAD = """\
name: x
models: {m: {kind: table, values: [a]}}
nodes:
  q: {kind: input}
"""


def graph(edges: str, nodes: dict[str, str], more: str = "") -> str:
    written = "".join(
        f'  {name}: {{kind: lm, model: m, prompt: "{" ".join(f"{{{{ {n} }}}}" for n in reads)}"}}\n'
        for name, reads in nodes.items()
    )
    lines = "".join(f"  - {edge.strip()}\n" for edge in edges.split(";"))
    return f"{HEAD}{written}edges:\n{lines}{more}outputs: [{[*nodes][-1]}]\n"


def follow(text: str, help: str) -> str:
    """The file, after doing what the help says."""
    for parent, child in re.findall(
        r"`(\w+) -> (\w+)`(?=[^`]*(?:`\w+ -> |out of|from `edges))", help
    ):
        pattern = rf"  - (.*?)(?:, )?\b{parent}\b(.*?) -> {child}\n"
        text = re.sub(pattern, rf"  - \1\2 -> {child}\n", text)
        text = re.sub(r"  - +-> \w+\n", "", text).replace("- , ", "- ")
    if found := re.search(r"add to `loops`: (\w+: \{.*\})", help):
        return text.replace("outputs:", f"loops:\n  {found[1]}\noutputs:")
    carried = ", ".join(re.findall(r"`(\w+ -> \w+)`", help))
    return text.replace("carry: [", f"carry: [{carried}, ")


CASES = {
    "two": ("q, b -> a; a -> b", {"a": "qb", "b": "a"}, ""),
    "itself": ("q, a -> a", {"a": "qa"}, ""),
    "three, entered in the middle": (
        "a -> b; q, b -> c; c -> a",
        {"a": "c", "b": "a", "c": "qb"},
        "",
    ),
    "a figure of eight": ("q, b, c -> a; a -> b; a -> c", {"b": "a", "c": "a", "a": "qbc"}, ""),
    "in a loop": (
        "q, b -> a; a -> b",
        {"a": "qba", "b": "a"},
        "loops:\n  l: {repeat: 2, nodes: [a, b], carry: [a -> a]}\n",
    ),
    "no edge": ("q -> a; a -> b", {"a": "qb", "b": "a"}, ""),
    "no edges": ("q -> a; a -> b", {"a": "qba", "b": "a"}, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_written_so_it_compiles(case: str) -> None:
    text = graph(*CASES[case])
    reading = read(text)
    assert reading.graph is not None
    problems = sysgraph_compiler.check(reading.graph)
    assert {problem.code for problem in problems} <= {"SG205", "SG404"}
    assert problems[0].help is not None
    again = read(follow(text, problems[0].help))
    assert again.graph is not None, again.diagnostics
    assert not has_errors(sysgraph_compiler.check(again.graph))
    assert sysgraph_compiler.compile(again.graph).terms


pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=15)


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_what_is_carried_closes_every_cycle(edges: list[tuple[int, int]]) -> None:
    dag: nx.DiGraph[str] = nx.DiGraph((str(one), str(other)) for one, other in edges)
    for tangle in nx.strongly_connected_components(dag):
        inside = dag.subgraph(tangle)
        rest = nx.DiGraph(inside)
        rest.remove_edges_from(_back_edges(Digraph(tangle, inside.edges), min(tangle)))
        assert nx.is_directed_acyclic_graph(rest)
