"""SG905: a gate on a choice that is several."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG905",
    title="gate on a copied choice",
    meaning="A choice with `for_each` is one choice per copy. Only what computes without a model "
    "and has the same `for_each` reads its own copy; for another node it is not clear which of "
    "them decides.",
    wrong="""\
nodes:
  route:
    kind: choice
    for_each: {n: [1, 2]}
    model: ada
    prompt: "{{ question }}"
    options: [math, other]
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
edges:
  - question -> route
  - question, route -> hint
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
    """Each such gate."""
    nodes, expansion = facts.graph.nodes, facts.expansion
    for name, node in nodes.items():
        for gate in node.gates:
            if gate not in nodes or not nodes[gate].choices or not expansion.is_group(gate):
                continue
            if not expansion.pairs(gate, name):
                keys = ", ".join([*nodes[gate].copies, *nodes[gate].spread])
                said = f"`{gate}` is copied by `for_each` ({keys}), so it is several choices"
                help = f"gate `{name}` on a choice without `for_each`"
                if node.is_deterministic:
                    help = f"give `{name}` the same `for_each`: each copy runs by its own choice"
                path = ("nodes", name, "when", gate)
                yield facts.diagnose(CODE, said, path, key=True, help=help)
