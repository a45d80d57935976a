"""SG803: preferences over outputs that data does not hold."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem

from ...facts import Facts
from ...observation import Observed, in_file, resolve, unobserved

CODE = Code(
    id="SG803",
    title="output that is not observed",
    meaning="Preferences are about the system's outputs, so data holds them. Only what comes "
    "before them can be summed over.",
    wrong="--observed draft\n",
    right="--observed draft,answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each output that a model writes, with any of its copies missing."""
    gaps = unobserved(facts.graph, facts.observation)
    observed = Observed(facts.graph, facts.observation).names or frozenset()
    for name in dict.fromkeys(facts.graph.outputs):
        missing = [gap for gap in gaps if gap.partition("[")[0] == name]
        if facts.expansion.is_open(name) and observed >= {*facts.expansion.last(name)}:
            continue
        if missing:
            said = f"preferences are about the output `{missing[0]}`, which data would not hold"
            named = [*(resolve(facts.graph, facts.observation).names or ()), name]
            if in_file(facts.graph, facts.observation):
                help = f"write `observed: [{', '.join(named)}]`"
                yield facts.diagnose(CODE, said, ("fit", "observed"), help=help)
            else:
                span = facts.observation.span("--observed")
                help = f"write --observed {','.join(named)}"
                yield problem(CODE, said, span=span, help=help)
