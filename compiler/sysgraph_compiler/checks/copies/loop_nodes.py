"""SG608: a loop over what cannot run in turns."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG608",
    title="node of a loop",
    meaning="`nodes` of a loop are generated nodes: they run once in every turn. An input has one "
    "value for all turns, and the loop's nodes may read it without its being among them.",
    wrong="""\
loops:
  refine: {repeat: 3, nodes: [question, drfat], carry: [draft -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Unknown names, and inputs."""
    if ("nodes",) in facts.broken:
        return
    nodes = facts.graph.nodes
    generated = [n for n in facts.names("nodes") if n not in nodes or not nodes[n].is_input]
    for loop, spec in facts.graph.loops.items():
        for index, name in enumerate(spec.nodes):
            path = ("loops", loop, "nodes", index)
            if not facts.knows(name):
                said = f"the loop `{loop}` names {quoted(name)}, which is no node"
                help = suggestion(name, generated, "the generated nodes are")
                yield facts.diagnose(CODE, said, path, help=help)
            elif name in nodes and nodes[name].is_input:
                said = f"`{name}` is an input: it has one value for all turns of `{loop}`"
                help = "remove it; the nodes of a loop read it in every turn without that"
                yield facts.diagnose(CODE, said, path, help=help)
