"""SG201: an edge that is not written as one."""

from collections.abc import Iterator
from itertools import pairwise

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG201",
    title="edge syntax",
    meaning="An edge is `parents -> children`, each a name or several names with commas between.",
    wrong="edges:\n  - question => draft\n  - question -> draft -> answer\n",
    right="edges:\n  - question -> draft\n  - question, draft -> answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Edges that could not be parsed."""
    for edge in facts.edges:
        if edge.fault is not None and not any(name in edge.text for name in facts.lost("nodes")):
            help = "write it as `question, draft -> answer`"
            chain = [part.strip() for part in edge.text.split("->")]
            if len(chain) > 2 and all(part.isidentifier() for part in chain):
                steps = [f"`{a} -> {b}`" for a, b in pairwise(chain)]
                help = "write " + " and ".join(steps[:4])
            yield facts.diagnose(CODE, edge.fault, ("edges", edge.index), help=help)
