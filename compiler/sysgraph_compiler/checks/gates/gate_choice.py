"""SG901: a gate on what is no choice."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG901",
    title="gate on no choice",
    meaning="`when` names choice nodes (`kind: choice`, or a tool with `returns: choice`) and the "
    "options under which the node runs.",
    wrong="""\
nodes:
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}", when: {draft: math}}
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  careful: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}", when: {route: math}}
  quick: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: other}}
  answer: {kind: select}
edges:
  - question -> route
  - question, draft, route -> careful
  - question, route -> quick
  - careful, quick -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Unknown names, and nodes of other kinds."""
    if ("nodes",) in facts.broken:
        return
    choices = [name for name, node in facts.graph.nodes.items() if node.choices]
    for name, node in facts.graph.nodes.items():
        for gate in node.gates:
            other = facts.graph.nodes.get(gate)
            if facts.is_broken("nodes", gate) or (other is not None and other.choices):
                continue
            said = f"`when` names {quoted(gate)}, which is no node"
            if other is not None:
                said = f"`when` names `{gate}`, which is {other.noun} and has no options"
            help = suggestion(gate, choices, "the choice nodes are")
            if not choices:
                help = "a gate wants a node of `kind: choice`, and the graph has none"
            path = ("nodes", name, "when", gate)
            yield facts.diagnose(CODE, said, path, key=True, help=help)
