"""SG503: a parse node that is given a list."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ..facts import Facts
from ..templates.types import in_words

CODE = Code(
    id="SG503",
    title="wrong type along an edge",
    meaning="A parse node reads one text. Behind a `for_each` node it needs the same `for_each`, "
    "and then each copy reads its own; behind a parser that gives a list it has nothing to read.",
    wrong="""\
parsers:
  lines: {kind: lines}
nodes:
  draft: {kind: lm, for_each: {n: [1, 2]}, model: ada, prompt: "{{ question }}"}
  items: {kind: parse, parser: lines}
edges:
  - draft -> items
""",
    right="""\
parsers:
  lines: {kind: lines}
nodes:
  draft: {kind: lm, for_each: {n: [1, 2]}, model: ada, prompt: "{{ question }}"}
  items: {kind: parse, for_each: {n: [1, 2]}, parser: lines}
edges:
  - draft -> items
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each edge into a parse node that does not carry one text."""
    for (parent, child), (edge, end, _) in facts.links.items():
        node, given = facts.graph.nodes[child], facts.graph.nodes[parent]
        if node.parser_name is None or len(facts.parents[child]) != 1:
            continue
        kind = facts.seen_as(parent, child)
        said, help = None, None
        if given.copies and node.copies != given.copies:
            copies = "; ".join(f"{key}: {len(items)} items" for key, items in given.copies.items())
            said = f"`{child}` reads one text; `{parent}` is copied by `for_each` ({copies})"
            help = f"give `{child}` the same `for_each` as `{parent}`: each copy reads its own"
        elif kind.startswith("list["):
            said = f"`{child}` reads a text; `{parent}` is {in_words(kind)}"
            help = f"parse the text that `{parent}` is read from"
        elif node.copies and not given.copies:
            said = (
                f"`{child}` has `for_each`, but `{parent}` has one text: all copies would be equal"
            )
            help = f"remove `for_each` from `{child}`"
        if said:
            at = ("edges", edge.index)
            yield facts.diagnose(CODE, said, at, within=(end.start, end.end), help=help)
