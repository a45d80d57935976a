"""SG508: a selection among values of different types."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...facts import Facts
from ...templates.types import ANY, in_words

CODE = Code(
    id="SG508",
    title="types of a selection",
    meaning="A select node has the value of the branch that ran, so what reads it needs to know "
    "its type: all branches have one.",
    wrong="""\
parsers:
  parts: {kind: lines}
nodes:
  parts: {kind: parse, parser: parts}
  answer: {kind: select}
edges:
  - draft -> parts
  - parts, draft -> answer
""",
    right="""\
parsers:
  first: {kind: regex, pattern: "(.+)", on_failure: reject}
nodes:
  first: {kind: parse, parser: first}
  answer: {kind: select}
edges:
  - draft -> first
  - first, draft -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Placed at the first edge whose type differs from those before."""
    for name, node in facts.graph.nodes.items():
        if not node.takes_any or name in facts.doubtful or facts.has_cycle:
            continue
        types = {parent: facts.type_of(parent) for parent in facts.reads(name)}
        types = {parent: kind for parent, kind in types.items() if kind != ANY}
        first = next(iter(types), "")
        other = next((parent for parent, kind in types.items() if kind != types[first]), None)
        if other is not None:
            said = f"`{name}` selects among values of different types: "
            said += listed((f"`{one}` is {in_words(types[one])}" for one in (first, other)), 4)
            edge, end, _ = facts.links[other, name]
            help = "give all branches one type, or select each type with a node of its own"
            at = ("edges", edge.index)
            yield facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)
