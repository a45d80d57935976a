"""SG312: a parent that a tool is not given."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG312",
    title="parent that is no argument",
    severity="warning",
    meaning="With `args`, a tool is given what is listed there and nothing else; an edge from "
    "another node says it depends on something that it never sees.",
    wrong="""\
nodes:
  sum: {kind: tool, tool: calculate, args: {expression: draft}}
edges:
  - question, draft -> sum
""",
    right="""\
nodes:
  sum: {kind: tool, tool: calculate, args: {expression: draft}}
edges:
  - draft -> sum
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such parent, unless an argument is wrong: it may be the one that was meant."""
    for name, node in facts.graph.nodes.items():
        given = {*node.arguments.values()}
        if not given or not given <= {*facts.parents[name]}:
            continue
        for parent in facts.reads(name):
            if parent not in given:
                edge, end, _ = facts.links[parent, name]
                said = f"`{name}` never uses `{parent}`, though this edge gives it"
                help = f"add an argument to `args` (`...: {parent}`), or remove the edge"
                at, within = ("edges", edge.index), (end.start, end.end)
                yield facts.diagnose(CODE, said, at, within=within, help=help)
