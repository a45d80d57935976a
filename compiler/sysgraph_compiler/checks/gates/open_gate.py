"""SG904: a gate that is never shut."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG904",
    title="gate under every option",
    severity="warning",
    meaning="The gate names every option of its choice, so the node always runs. Where a choice is "
    "read from a text, and a failure ends the trace, it does not: that is a gate of its own.",
    wrong="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: [math, other]}}
edges:
  - question -> route
  - question, route -> hint
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: [math]}}
edges:
  - question -> route
  - question, route -> hint
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such gate."""
    nodes = facts.graph.nodes
    for name, node in nodes.items():
        for gate, options in node.gates.items():
            router = nodes.get(gate)
            if router is None or not router.choices or facts.may_lack(gate):
                continue
            if {*router.choices} <= {*options}:
                said = f"`{name}` runs under every option of `{gate}`: it is not gated"
                help = "remove the gate, or leave options out"
                path = ("nodes", name, "when", gate)
                yield facts.diagnose(CODE, said, path, key=True, help=help)
