"""SG502: a parse node that has not exactly one parent."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...facts import Facts

CODE = Code(
    id="SG502",
    title="parents of a parse node",
    meaning="A parse node reads the text of one node, so exactly one edge leads to it.",
    wrong="""\
parsers:
  lines: {kind: lines}
nodes:
  items: {kind: parse, parser: lines}
edges:
  - question, draft -> items
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
    """None, or several."""
    for name, node in facts.graph.nodes.items():
        parents = facts.reads(name)
        if node.parser_name is None or len(parents) == 1 or name in facts.doubtful:
            continue
        if facts.lacks_parent(name):
            continue
        if not parents:
            texts = [n for n, s in facts.graph.nodes.items() if s.model_template is not None]
            example = f"`{texts[0]} -> {name}`" if texts else f"`draft -> {name}`"
            said = f"no edge leads to `{name}`, so there is no text to parse"
            help = f"add an edge, for example {example}"
            yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)
            continue
        said = f"`{name}` parses one text, but has {len(parents)} parents: {listed(parents, 8)}"
        edge, end, _ = facts.links[parents[1], name]
        at = ("edges", edge.index)
        help = "keep one of them; a second text wants a parse node of its own"
        yield facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)
