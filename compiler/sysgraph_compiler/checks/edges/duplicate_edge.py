"""SG203: one edge, twice."""

from collections.abc import Iterator
from itertools import filterfalse

from sysgraph_schemas import Code, Diagnostic, Note

from ...edges import Edge, End
from ...facts import Facts

CODE = Code(
    id="SG203",
    title="duplicate edge",
    meaning="Two edges say the same. The second adds nothing, so another was likely meant.",
    wrong="edges:\n  - question, draft -> answer\n  - draft -> answer\n",
    right="edges:\n  - question, draft -> answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each repeated (parent, child), placed at the repetition."""
    seen: dict[tuple[str, str], tuple[Edge, End]] = {}
    for edge in filterfalse(facts.is_own, facts.edges):
        for parent, child in edge.pairs():
            first = seen.setdefault((parent.name, child.name), (edge, parent))
            if first != (edge, parent) and facts.knows(parent.name) and facts.knows(child.name):
                yield _repeated(facts, edge, parent, child, first)


def _repeated(
    facts: Facts, edge: Edge, parent: End, child: End, first: tuple[Edge, End]
) -> Diagnostic:
    at = ("edges", edge.index)
    original, end = first
    place = facts.value(("edges", original.index), (end.start, end.end))
    found = facts.diagnose(
        CODE,
        f"the edge `{parent.name} -> {child.name}` is there already",
        at,
        within=(parent.start, parent.end),
        help="remove it",
        notes=(Note("first given here", place),),
    )
    return found
