"""SG616: `for_each` over a list that no edge gives."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG616",
    title="for_each without an edge",
    meaning="A node that is copied per element depends on the list, and the edges say what a node "
    "depends on.",
    wrong="""\
parsers:
  parts: {kind: lines, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  answer: {kind: lm, for_each: {part: parts}, model: ada, prompt: "{{ question }} {{ part }}"}
edges:
  - draft -> parts
  - question -> answer
""",
    right="""\
parsers:
  parts: {kind: lines, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  answer: {kind: lm, for_each: {part: parts}, model: ada, prompt: "{{ question }} {{ part }}"}
edges:
  - draft -> parts
  - question, parts -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each key without one; the help is the edge to add."""
    nodes = facts.graph.nodes
    for name, node in nodes.items():
        for key, source in node.spread.items():
            known = source in nodes and (source == name or facts.is_list(source))  # SG615
            if not known or (source, name) in facts.links or name in facts.doubtful:
                continue
            path = ("nodes", name, "for_each", key)
            said = f"`{name}` is copied per element of `{source}`, but no edge leads from it"
            help = f"add to `edges`: - {source} -> {name}"
            if source == name:
                said = f"`{name}` cannot be copied per element of its own value"
                help = "name the parse node that gives the list"
            elif facts.depends(source, on=name):
                said = f"`{name}` is copied per element of `{source}`, which depends on `{name}`"
                help = "the list must be there before the copies are: read another one"
            yield facts.diagnose(CODE, said, path, help=help)
