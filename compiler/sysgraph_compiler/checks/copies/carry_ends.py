"""SG611: a loop that carries from, or to, what has no next turn."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...edges import Edge, End
from ...expansion import carry_edges
from ...facts import Facts

CODE = Code(
    id="SG611",
    title="carry from or to outside",
    meaning="A loop carries values between its own nodes: an edge from or to another node belongs "
    "to `edges`. In the first turn there is nothing to carry yet, so it leads into a node with a "
    "prompt, where the value is the empty text or list.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [question -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such end, once for a carried edge; SG608 speaks of loops whose nodes are not known."""
    if ("nodes",) in facts.broken:
        return
    for loop, spec in facts.graph.loops.items():
        if not all(facts.knows(name) for name in spec.nodes):
            continue
        for edge in carry_edges(spec):
            seen: set[str] = set()
            for end in (*edge.parents, *edge.children):
                if end.name not in spec.nodes and end.name not in seen:
                    yield _outside(facts, loop, edge, end)
                seen.add(end.name)
            yield from _without_prompt(facts, loop, edge)


def _outside(facts: Facts, loop: str, edge: Edge, end: End) -> Diagnostic:
    inside = facts.graph.loops[loop].nodes
    is_parent = end in edge.parents
    if not facts.knows(end.name):
        said = f"`carry` names {quoted(end.name)}, which is no node"
        help = suggestion(end.name, inside, f"the nodes of the loop `{loop}` are")
    elif is_parent:
        said = f"`{end.name}` is no node of the loop `{loop}`, so it has no turn to carry from"
        help = "write the edge under `edges`: its value is given to every turn"
        node = facts.graph.nodes.get(end.name)
        if node is not None and not node.is_input:
            help += f"; or add `{end.name}` to the loop's `nodes`"
    else:
        said = f"`{end.name}` is no node of the loop `{loop}`, so it has no next turn"
        help = "write the edge under `edges`: what is outside sees the last turn"
        help += f"; or add `{end.name}` to the loop's `nodes`"
    at = ("loops", loop, "carry", edge.index)
    return facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)


def _without_prompt(facts: Facts, loop: str, edge: Edge) -> Iterator[Diagnostic]:
    for end in edge.children:
        node = facts.graph.nodes.get(end.name)
        if node is None or node.is_prompted or end.name not in facts.graph.loops[loop].nodes:
            continue
        said = f"`{end.name}` is {node.noun}, which has nothing to read in the first turn"
        help = "carry into a node with a prompt: there the value is empty in the first turn"
        at = ("loops", loop, "carry", edge.index)
        yield facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)
