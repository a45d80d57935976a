"""SG620: a loop over the elements of what is no list."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG620",
    title="loop over no list",
    meaning="`over` names a node outside of the loop whose value is one list: there is a turn for "
    "each element, in order.",
    wrong="""\
nodes:
  note: {kind: lm, model: ada, prompt: "{{ element }} {{ note }}"}
edges: []
loops:
  read: {over: draft, nodes: [note], carry: [note -> note]}
outputs: [note]
""",
    right="""\
parsers:
  parts: {kind: lines, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  note: {kind: lm, model: ada, prompt: "{{ element }} {{ note }}"}
edges:
  - draft -> parts
loops:
  read: {over: parts, nodes: [note], carry: [note -> note]}
outputs: [note]
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Unknown names, other values, groups, and what depends on the loop itself."""
    if ("nodes",) in facts.broken:
        return
    nodes = facts.graph.nodes
    lists = [name for name in nodes if facts.is_list(name)]
    for loop, spec in facts.graph.loops.items():
        over = spec.over
        if over is None or facts.is_broken("nodes", over):
            continue
        help = suggestion(over, lists, "the nodes that give lists are")
        into = [name for name in spec.nodes if name in nodes]
        if over not in nodes:
            said = f"`over` names {quoted(over)}, which is no node"
        elif over in spec.nodes or any(facts.depends(over, on=name) for name in into):
            said = f"`over` names `{over}`, which is part of the loop `{loop}` or depends on it"
            help = "the list must be there before the turns are: name one that is made before"
        elif facts.expansion.is_group(over):
            said = f"`{over}` is copied by `for_each`, so it is several values"
        elif not facts.is_list(over) and facts.type_of(over) != "any":
            said = f"`over` names `{over}`, whose value is no list"
            if not lists:
                help = (
                    "a list comes from a parse node: `kind: lines`, `split`, or with `many: true`"
                )
        else:
            continue
        yield facts.diagnose(CODE, said, ("loops", loop, "over"), help=help)
