"""SG202: an edge to or from nothing."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG202",
    title="unknown node in an edge",
    meaning="An edge names a node that is not under `nodes`.",
    wrong="nodes:\n  question: {kind: input}\nedges:\n  - qestion -> draft\n",
    right="nodes:\n  question: {kind: input}\nedges:\n  - question -> draft\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each unknown name, once per edge."""
    if ("nodes",) in facts.broken:
        return
    for edge in facts.edges:
        seen: set[str] = set()
        for end in (*edge.parents, *edge.children):
            if facts.knows(end.name) or end.name in seen or facts.is_strange_field(end.name):
                continue
            seen.add(end.name)
            side = "from" if end in edge.parents else "to"
            yield facts.diagnose(
                CODE,
                f"an edge {side} {quoted(end.name)}, which is no node",
                ("edges", edge.index),
                within=(end.start, end.end),
                help=suggestion(end.name, facts.names("nodes"), "the nodes are"),
            )
