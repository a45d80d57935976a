"""SG614: a carried value that the next turn never uses."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG614",
    title="carry never used",
    severity="warning",
    meaning="The child's prompt does not use the value that is carried into its next turn, so the "
    "turns do not build on one another there.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each one, unless the child has undefined variables: one of them may be what is carried."""
    for (parent, child), (loop, edge, end, _) in facts.expansion.carried.items():
        used = facts.uses.get(child)
        if used is None or parent in used or not facts.graph.nodes[child].is_prompted:
            continue
        sees = {*facts.sees[child], *facts.local(child)}
        if (parent, child) in facts.links or not used.keys() <= sees:
            continue
        said = f"`{child}` never uses `{parent}`, though `carry` gives it that of the turn before"
        called = next(iter(facts.said(child, parent)), parent)
        help = f"use {{{{ {called} }}}} in the prompt of `{child}`, or remove it from `carry`"
        at, within = ("loops", loop, "carry", edge.index), (end.start, end.end)
        yield facts.diagnose(CODE, said, at, within=within, help=help)
