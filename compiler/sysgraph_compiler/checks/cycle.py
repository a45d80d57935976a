"""SG205: a node that depends on itself."""

from collections.abc import Iterator

import networkx as nx

from sysgraph_schemas import Code, Diagnostic

from ..facts import Facts

CODE = Code(
    id="SG205",
    title="cycle",
    meaning="A node's value would depend on itself, so there is no order to generate them in and "
    "no factorization. A loop is written by unrolling it: one node for every turn.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  critique: {kind: lm, model: ada, prompt: "{{ draft }}"}
edges:
  - question, critique -> draft
  - draft -> critique
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
  critique: {kind: lm, model: ada, prompt: "{{ draft }}"}
  revision: {kind: lm, model: ada, prompt: "{{ draft }} {{ critique }}"}
edges:
  - question -> draft
  - draft -> critique
  - draft, critique -> revision
""",
)

_SHOWN = 12


def check(facts: Facts) -> Iterator[Diagnostic]:
    """One cycle for each tangle of nodes, told from its first edge in the file."""
    tangle_of: dict[str, int] = {}
    for number, nodes in enumerate(nx.strongly_connected_components(facts.dag)):
        tangle_of.update(dict.fromkeys(nodes, number))
    told: set[int] = set()
    for (parent, child), (edge, start, end) in facts.links.items():
        if tangle_of[parent] != tangle_of[child] or tangle_of[parent] in told:
            continue
        told.add(tangle_of[parent])
        back = nx.bidirectional_shortest_path(facts.dag, child, parent)
        path = [parent, *back]
        yield facts.diagnose(
            CODE,
            f"a cycle: {' -> '.join(_short(path))}" if child != parent else _itself(parent),
            ("edges", edge.index),
            within=(min(start.start, end.start), max(start.end, end.end)),
            help="unroll the loop: a node of its own for every turn "
            f"(`{parent}_1`, `{parent}_2`, ...), each reading the one before",
        )


def _short(path: list[str]) -> list[str]:
    return path if len(path) <= _SHOWN else [*path[: _SHOWN - 2], "...", path[-2], path[-1]]


def _itself(name: str) -> str:
    return f"a cycle: `{name}` is its own parent"
