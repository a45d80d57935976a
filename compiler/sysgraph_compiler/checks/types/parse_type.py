"""SG503: a parse node that is given something else than a text."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...templates.types import in_words

CODE = Code(
    id="SG503",
    title="wrong type along an edge",
    meaning="A parse node reads one text. Behind a `for_each` node it needs the same `for_each`, "
    "and then each copy reads its own; a list, a choice or an image it cannot read.",
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
    for child, node in facts.graph.nodes.items():
        reads = facts.reads(child) if node.parser_name is not None else []
        if len(reads) != 1 or child in facts.doubtful:  # SG502
            continue
        found = _misfit(facts, reads[0], child)
        if found:
            edge, end, _ = facts.links[reads[0], child]
            at, within = ("edges", edge.index), (end.start, end.end)
            yield facts.diagnose(CODE, found[0], at, within=within, help=found[1])


def _misfit(facts: Facts, parent: str, child: str) -> tuple[str, str] | None:
    """What is wrong with the edge, and what would be right."""
    given = facts.graph.nodes[parent]
    kind, own = facts.seen_as(parent, child), facts.type_of(parent)
    reads = f"`{child}` reads a text; `{parent}` is"
    if own == "image":
        return f"{reads} {in_words(kind)}", "a model that reads images can say what it shows"
    if own == "choice":
        help = f"use it as it is: `when: {{{parent}: ...}}`, or {{{{ {parent} }}}} in a prompt"
        return f"{reads} {in_words(kind)}", help
    if own in ("list[text]", "record"):
        return f"{reads} {in_words(kind)}", f"parse the text that `{parent}` is read from"
    if facts.expansion.is_group(parent) and not facts.expansion.pairs(parent, child):
        keys = [f"{key}: {len(items)} items" for key, items in given.copies.items()]
        keys += [f"{key}: {source}" for key, source in given.spread.items()]
        said = f"`{child}` reads one text; `{parent}` is copied by `for_each` ({'; '.join(keys)})"
        return said, f"give `{child}` the same `for_each` as `{parent}`: each copy reads its own"
    if facts.expansion.is_group(child) and not facts.expansion.is_group(parent):
        said = f"`{child}` has `for_each`, but `{parent}` has one text: all copies would be equal"
        return said, f"remove `for_each` from `{child}`"
    return None
