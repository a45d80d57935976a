"""SG311: a tool's argument that is no parent."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG311",
    title="argument of a tool",
    meaning="`args` gives each argument of a tool the value of one of the node's parents, so an "
    "edge leads from it. Constants are `settings`.",
    wrong="""\
nodes:
  sum: {kind: tool, tool: calculate, args: {expression: answer}}
edges:
  - draft -> sum
""",
    right="""\
nodes:
  sum: {kind: tool, tool: calculate, args: {expression: draft}}
edges:
  - draft -> sum
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such argument; the help is the edge to add."""
    if ("nodes",) in facts.broken or ("edges",) in facts.broken:
        return
    for name, node in facts.graph.nodes.items():
        for argument, parent in node.arguments.items():
            known = facts.is_broken("nodes", parent) or parent in facts.parents[name]
            if known or name in facts.doubtful or facts.is_strange_field(parent):
                continue
            said = f"the argument `{argument}` is {quoted(parent)}, which is no node"
            help = suggestion(parent, facts.parents[name], f"the parents of `{name}` are")
            if parent in facts.graph.nodes:
                said = f"the argument `{argument}` is `{parent}`, but no edge leads from it"
                help = _edge(facts, parent, name)
            elif parent in facts.keys(name):
                said = f"the argument `{argument}` is `{parent}`, a `for_each` key of `{name}`"
                help += "; only prompts use the keys of `for_each`"
            elif not facts.parents[name]:
                help = f"for a constant, write `settings: {{{argument}: ...}}`"
            path = ("nodes", name, "args", argument)
            yield facts.diagnose(CODE, said, path, help=help)


def _edge(facts: Facts, parent: str, name: str) -> str:
    if parent == name or facts.depends(parent, on=name):
        return f"`{parent}` depends on `{name}`, so `{name}` cannot read it"
    return f"add to `edges`: - {parent} -> {name}"
