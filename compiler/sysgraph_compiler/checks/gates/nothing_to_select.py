"""SG907: a selection without branches."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG907",
    title="nothing to select",
    meaning="A select node has the value of the branch that ran, so edges lead to it from at least "
    "two, or from a node with several copies. With `when`, one branch is enough: it is let through "
    "or not.",
    wrong="""\
nodes:
  chosen: {kind: select}
edges:
  - draft -> chosen
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  careful: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
  chosen: {kind: select}
edges:
  - question -> route
  - question, route -> careful
  - careful, draft -> chosen
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """None, or a single one."""
    for name, node in facts.graph.nodes.items():
        if not node.takes_any or name in facts.doubtful:
            continue
        reads = facts.reads(name)
        count = sum(facts.expansion.number_seen(parent, name) for parent in reads)
        if count > 1 or any(facts.graph.nodes[parent].spread for parent in reads):
            continue
        if facts.lacks_parent(name) or (reads and node.gates):
            continue  # gated, it lets the one branch through, or nothing
        said = f"no edge leads to `{name}`, so there is nothing to select from"
        help = f"add the edges from its branches to `{name}`"
        if reads:
            said = f"`{name}` selects from `{reads[0]}` alone"
            help = f"add an edge from another branch, or use `{reads[0]}` in its place"
        yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)
