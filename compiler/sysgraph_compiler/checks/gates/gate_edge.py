"""SG902: a gate on a choice that no edge gives."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG902",
    title="gate without an edge",
    meaning="Whether a gated node runs depends on the choice, and the edges say what a node "
    "depends on.",
    wrong="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
edges:
  - question -> route
  - question -> hint
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
edges:
  - question -> route
  - question, route -> hint
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such gate; the help is the edge to add."""
    nodes = facts.graph.nodes
    for name, node in nodes.items():
        for gate in node.gates:
            known = gate in nodes and nodes[gate].choices and name not in facts.doubtful
            if not known or (gate, name) in facts.links:
                continue
            said = f"`{name}` runs by `{gate}`, but no edge leads from `{gate}` to it"
            help = f"add to `edges`: - {gate} -> {name}"
            if gate == name:
                said, help = f"`{name}` cannot run by its own value", "name another choice"
            elif facts.depends(gate, on=name):
                said = f"`{name}` runs by `{gate}`, which itself depends on `{name}`"
                help = "gate what comes after the choice"
            elif (gate, name) in facts.expansion.carried:
                said = f"`{name}` runs by `{gate}`, which `carry` gives only to the next turn"
                help = f"gate what comes after `{gate}` in the same turn"
            path = ("nodes", name, "when", gate)
            yield facts.diagnose(CODE, said, path, key=True, help=help)
