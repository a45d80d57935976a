"""SG208: an output that the system does not generate."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG208",
    title="output that is no generated node",
    meaning="`outputs` names the nodes whose values are the system's answer: not an input, and no "
    "name that is missing under `nodes`.",
    wrong="outputs: [anwser]\n",
    right="outputs: [answer]\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Unknown names and inputs."""
    nodes = facts.graph.nodes
    generated = [n for n in facts.names("nodes") if n not in nodes or not nodes[n].is_input]
    for index, name in enumerate(facts.graph.outputs):
        if facts.is_broken("outputs", index) or facts.is_broken("nodes", name):
            continue
        if facts.is_strange_field(name):
            continue
        node = facts.graph.nodes.get(name)
        if node is not None and not node.is_input:
            continue
        why = "an input: the user gives it" if node else "no node"
        help = suggestion(name, generated, "the generated nodes are")
        path = ("outputs", index)
        yield facts.diagnose(CODE, f"the output {quoted(name)} is {why}", path, help=help)
