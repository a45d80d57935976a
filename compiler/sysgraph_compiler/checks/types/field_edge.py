"""SG510: an edge to a field of a record."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG510",
    title="edge to a field",
    meaning="A field follows from its record alone, and the record from the text that the parse "
    "node reads: edges lead to the parse node, and from its fields.",
    wrong="""\
parsers:
  call: {kind: json, fields: {tool: text, query: text}, on_failure: reject}
nodes:
  call: {kind: parse, parser: call}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ call.query }}"}
edges:
  - draft -> call
  - draft -> call.query
  - question, call.query -> answer
""",
    right="""\
parsers:
  call: {kind: json, fields: {tool: text, query: text}, on_failure: reject}
nodes:
  call: {kind: parse, parser: call}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ call.query }}"}
edges:
  - draft -> call
  - question, call.query -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such end of an edge that the file has."""
    for edge in facts.edges:
        for end in edge.children:
            node = facts.graph.nodes.get(end.name)
            if node is None or node.part is None or facts.is_own(edge):
                continue
            said = f"an edge leads to `{end.name}`, which is a field of `{node.part[0]}`"
            help = f"lead it to `{node.part[0]}`, or remove it"
            at, within = ("edges", edge.index), (end.start, end.end)
            yield facts.diagnose(CODE, said, at, within=within, help=help)
