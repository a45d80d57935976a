"""SG302: a parse node whose parser does not exist."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG302",
    title="unknown parser",
    meaning="A parse node names a parser that is not under `parsers`.",
    wrong="""\
parsers:
  lines: {kind: lines}
nodes:
  items: {kind: parse, parser: liens}
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
    """Each unknown name."""
    if ("parsers",) in facts.broken:
        return
    known = {*facts.names("parsers")}
    for name, node in facts.graph.nodes.items():
        parser = node.parser_name
        if parser is not None and parser not in known:
            help = suggestion(parser, facts.names("parsers"), "the parsers are")
            if not known:
                help = f"add it: `parsers: {{{parser}: {{kind: lines}}}}`"
            at = ("nodes", name, "parser")
            yield facts.diagnose(CODE, f"unknown parser {quoted(parser)}", at, help=help)
