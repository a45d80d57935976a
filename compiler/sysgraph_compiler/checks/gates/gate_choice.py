"""SG901: a gate on what is no choice."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts
from ...templates.types import ANY

CODE = Code(
    id="SG901",
    title="gate on no choice",
    meaning="`when` names choices and the options under which the node runs: choice nodes "
    "(`kind: choice`), parse nodes whose parser has `options`, tool nodes that have some, and such "
    "fields of records.",
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
            if facts.is_broken("nodes", gate) or facts.is_strange_field(gate):
                continue
            if other is not None and (other.choices or facts.type_of(gate) == ANY):
                continue
            said = f"`when` names {quoted(gate)}, which is no node"
            if other is not None:
                said = f"`when` names `{gate}`, which is {other.noun} and has no options"
            help = suggestion(gate, choices, "the choices are")
            if other is not None and other.parts:
                able = [f"{gate}.{key}" for key, part in other.parts.items() if part.choices]
                help = suggestion("", able, "its fields with `options` are")
            elif other is not None and other.reader:
                says = "returns: choice, options: [...]" if other.tool_name else "options: [...]"
                help = f"add `{says}` to {other.reader}: it gives a choice then"
            elif not choices:
                help = "a gate wants a node of `kind: choice`, or one whose parser has `options`"
            path = ("nodes", name, "when", gate)
            yield facts.diagnose(CODE, said, path, key=True, help=help)
