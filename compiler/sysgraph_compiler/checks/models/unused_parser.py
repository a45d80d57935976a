"""SG304: a parser that no node uses."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG304",
    title="parser never used",
    severity="warning",
    meaning="No parse node names this parser.",
    wrong="""\
parsers:
  lines: {kind: lines}
  words: {kind: split}
nodes:
  items: {kind: parse, parser: lines}
edges:
  - draft -> items
""",
    right="""\
parsers:
  lines: {kind: lines}
nodes:
  items: {kind: parse, parser: lines}
edges:
  - draft -> items
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each one, if every node's parser is known."""
    used = {node.parser_name for node in facts.graph.nodes.values()} - {None}
    if facts.lost("nodes") or ("nodes",) in facts.broken:
        return
    if not used <= set(facts.names("parsers")):
        return
    for name in facts.graph.parsers:
        if name not in used:
            said = f"no node uses the parser `{name}`"
            yield facts.diagnose(CODE, said, ("parsers", name), key=True, help="remove it")
