"""SG804: a parsed value in data, without the text it is read from."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import problem

from ..facts import Facts
from ..observation import unobserved

CODE = Code(
    id="SG804",
    title="parsed value without its text",
    meaning="A parse node's value follows from a text, and the likelihood is the text's. Data that "
    "holds the value alone does not say which of many texts it was.",
    wrong="""\
--observed items,answer
""",
    right="""\
--observed draft,answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each parse node that is named while the text before it is not."""
    gaps = {gap.partition("[")[0] for gap in unobserved(facts.graph, facts.observation)}
    named = {name.partition("[")[0]: name for name in facts.observation.names or ()}
    for node, name in named.items():
        spec = facts.graph.nodes.get(node)
        if spec is None or spec.parser_name is None:
            continue
        for parent in facts.parents[node]:
            if parent in gaps:
                said = f"data would hold `{name}`, but not `{parent}`, the text it is read from"
                help = f"name `{parent}` instead: `{node}` follows from it"
                yield problem(CODE, said, span=facts.observation.span(name), help=help)
