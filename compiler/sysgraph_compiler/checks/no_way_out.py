"""SG207: a node that no output needs."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ..facts import Facts

CODE = Code(
    id="SG207",
    title="node that leads nowhere",
    severity="warning",
    meaning="No other node reads this one and it is no output, so it costs time and changes "
    "nothing.",
    wrong="""\
nodes:
  hint: {kind: input}
""",
    right="""\
nodes:
  hint: {kind: input}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ hint }} {{ draft }}"}
edges:
  - question, hint, draft -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Sinks that are no outputs; what only leads to them follows and is not repeated."""
    outputs = facts.graph.outputs
    sound = all(name in facts.graph.nodes for name in outputs)
    if not facts.is_wired or facts.has_cycle or not sound:
        return
    wanted = {name for used in facts.uses.values() for name in used}  # SG404 asks for the edge
    for name, node in facts.graph.nodes.items():
        if name in outputs or name in wanted or facts.dag.out_degree(name):
            continue
        what = "input" if node.is_input else "node"
        help = (
            f"add an edge from it, or remove it{'' if node.is_input else ', or make it an output'}"
        )
        said = f"nothing reads the {what} `{name}`, and it is no output"
        yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)
