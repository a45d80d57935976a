"""SG206: a generated node that no input reaches."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG206",
    title="node without an input",
    severity="warning",
    meaning="No edge leads to this node, so its value has nothing to do with what the user asks.",
    wrong="""\
nodes:
  topic: {kind: lm, model: ada, prompt: Name a topic.}
  answer: {kind: lm, model: ada, prompt: "{{ topic }}"}
edges:
  - topic -> answer
""",
    right="""\
nodes:
  topic: {kind: lm, model: ada, prompt: "Name the topic of {{ question }}"}
  answer: {kind: lm, model: ada, prompt: "{{ topic }}"}
edges:
  - question -> topic
  - topic -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Roots that are no inputs; what hangs on them alone follows and is not repeated."""
    if not facts.is_wired or facts.has_cycle:
        return
    for name, parents in facts.parents.items():
        node = facts.graph.nodes[name]
        used = facts.uses.get(name, {})
        wants_edge = any(other in facts.graph.nodes for other in used)  # SG404 says so
        if parents or node.is_input or wants_edge:
            continue
        if node.parser_name is not None or node.takes_any:  # SG502 and SG907 say so
            continue
        loop = facts.expansion.loop(name)
        if loop is not None and loop.over is not None:
            continue  # the list is its parent
        inputs = [n for n, spec in facts.graph.nodes.items() if spec.is_input]
        help = f"add an edge, for example `{inputs[0]} -> {name}`" if inputs else None
        yield facts.diagnose(
            CODE,
            f"no edge leads to `{name}`: it does not depend on any input",
            ("nodes", name),
            key=True,
            help=help or "add a node of kind input, and an edge from it",
        )
