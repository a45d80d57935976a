"""SG205: a node that depends on itself."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...loop_hint import hint

CODE = Code(
    id="SG205",
    title="cycle",
    meaning="A node's value would depend on itself, so there is no order to generate them in and "
    "no factorization. A loop says how often its nodes run, and what one turn gives to the next: "
    "under `loops`, where the edge that closes the cycle is `carry` and no longer an edge.",
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
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  critique: {kind: lm, model: ada, prompt: "{{ draft }}"}
edges:
  - question -> draft
  - draft -> critique
loops:
  turns: {repeat: 3, nodes: [draft, critique], carry: [critique -> draft]}
""",
)

_SHOWN = 12


def check(facts: Facts) -> Iterator[Diagnostic]:
    """One cycle for each tangle of nodes, told from its first edge in the file."""
    if not facts.has_cycle and all(parent != child for parent, child in facts.links):
        return  # an input's edge to itself is not in the DAG
    tangles = [frozenset(nodes) for nodes in facts.dag.tangles()]
    tangle_of = {name: tangle for tangle in tangles for name in tangle}
    told = {tangle for tangle in tangles if _is_carried(facts, tangle)}
    for (parent, child), (edge, start, end) in facts.links.items():
        if tangle_of[parent] is not tangle_of[child] or tangle_of[parent] in told:
            continue
        told.add(tangle_of[parent])
        path = [parent, *facts.dag.way(child, parent)]
        yield facts.diagnose(
            CODE,
            f"a cycle: {' -> '.join(_short(path))}" if child != parent else _itself(parent),
            ("edges", edge.index),
            within=(min(start.start, end.start), max(start.end, end.end)),
            help=hint(facts, tangle_of[parent]),
        )


def _is_carried(facts: Facts, tangle: frozenset[str]) -> bool:
    """Whether loops carry what closes the cycles: the edges are too many (SG612)."""
    carried = [pair for pair in facts.expansion.carried if pair in facts.links]
    if not carried or tangle.isdisjoint(facts.expansion.loop_of):
        return False
    return not facts.dag.part(tangle, without=carried).has_circle


def _short(path: list[str]) -> list[str]:
    return path if len(path) <= _SHOWN else [*path[: _SHOWN - 2], "...", path[-2], path[-1]]


def _itself(name: str) -> str:
    return f"a cycle: `{name}` is its own parent"
