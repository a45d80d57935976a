"""SG802: Direct, asked for where data has gaps."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem
from sysgraph_schemas.suggest import listed

from ...facts import Facts
from ...observation import unobserved

CODE = Code(
    id="SG802",
    title="Direct with a gap",
    meaning="SysDPO-Direct needs the value of every generated node, on both sides of a pair. Where "
    "data lacks some, SysDPO-Sampling sums over them.",
    wrong="--observed answer --method direct\n",
    right="--observed answer --method sampling\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Says what is missing."""
    gaps = unobserved(facts.graph, facts.observation)
    if facts.observation.method == "direct" and gaps:
        said = f"the method is direct, but data does not hold: {listed(gaps)}"
        help = "name them too, or use `--method sampling`, which sums over them"
        yield problem(CODE, said, span=facts.observation.span("direct"), help=help)
