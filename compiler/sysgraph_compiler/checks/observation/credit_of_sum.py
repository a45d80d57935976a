"""SG805: a loss per node, where data lacks some nodes' values."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...observation import unobserved

CODE = Code(
    id="SG805",
    title="loss per node with a gap",
    meaning="`fit.credit: node` gives each node a loss of its own value. In Sampling's sum over "
    "unobserved values the nodes cannot be told apart.",
    wrong="--observed answer --set fit.credit=node\n",
    right="--observed answer --set fit.credit=system\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Placed at `credit`."""
    gaps = unobserved(facts.graph, facts.observation)
    if facts.graph.fit.credit == "node" and gaps:
        said = f"`credit: node` needs every node's value, and data does not hold {gaps[0]}"
        help = "use `credit: system`, or data that holds every generated value"
        yield facts.diagnose(CODE, said, ("fit", "credit"), help=help)
