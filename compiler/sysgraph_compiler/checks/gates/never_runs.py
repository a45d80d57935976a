"""SG909: a node whose gates cannot all be open."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG909",
    title="node that never runs",
    meaning="A node runs where its gates are open and its parents ran. Here that is never so: the "
    "gates on its way exclude one another.",
    wrong="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  careful: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
  quick: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: other}}
  answer: {kind: lm, model: ada, prompt: "{{ careful }} {{ quick }}"}
edges:
  - question -> route
  - question, route -> careful, quick
  - careful, quick -> answer
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  careful: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
  quick: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: other}}
  chosen: {kind: select}
  answer: {kind: lm, model: ada, prompt: "{{ chosen }}"}
edges:
  - question -> route
  - question, route -> careful, quick
  - careful, quick -> chosen
  - chosen -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such node whose parents do run; what hangs on it follows and is not repeated."""
    if not facts.has_ways:
        return
    of = facts.presence.first
    for name, node in facts.graph.nodes.items():
        parents = list(facts.dag.parents(name))
        if of[name] or not all(of[parent] for parent in parents) or not parents:
            continue
        if node.takes_any and not node.gates:
            continue
        if any(
            gate in facts.graph.nodes and not _options(facts, name, gate) for gate in node.gates
        ):
            continue  # SG903
        said = f"`{name}` never runs: the gates of what it needs exclude one another"
        help = "put a select node between: it has the value of the branch that ran"
        yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)


def _options(facts: Facts, name: str, gate: str) -> set[str]:
    possible = facts.possible(name, facts.graph.nodes[name].gates[gate])
    return {*possible} & {*facts.graph.nodes[gate].choices}
