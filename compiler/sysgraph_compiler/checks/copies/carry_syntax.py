"""SG610: what a loop carries, not written as an edge."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...expansion import carry_edges
from ...facts import Facts

CODE = Code(
    id="SG610",
    title="carry syntax",
    meaning="What a loop carries is written as an edge, `parents -> children`: the parent's value "
    "of one turn is given to the child in the next.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each that cannot be read."""
    for loop, spec in facts.graph.loops.items():
        for edge in carry_edges(spec):
            if edge.fault is not None:
                ends = [name.strip() for name in spec.nodes]
                help = f"write it as an edge into the next turn: `{ends[-1]} -> {ends[0]}`"
                path = ("loops", loop, "carry", edge.index)
                yield facts.diagnose(CODE, edge.fault, path, help=help)
