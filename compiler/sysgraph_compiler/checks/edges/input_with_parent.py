"""SG204: an edge into an input."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG204",
    title="input with a parent",
    meaning="The user gives an input's value, so no other node can have a say in it.",
    wrong="nodes:\n  question: {kind: input}\nedges:\n  - draft -> question\n",
    right="nodes:\n  question: {kind: input}\nedges:\n  - question -> draft\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each edge whose child is an input."""
    for (parent, child), (edge, _, end) in facts.links.items():
        if facts.graph.nodes[child].is_input:
            yield facts.diagnose(
                CODE,
                f"`{child}` is an input and has no parents, but this edge gives it `{parent}`",
                ("edges", edge.index),
                within=(end.start, end.end),
                help=f"turn it around (`{child} -> {parent}`), or give `{child}` another kind",
            )
