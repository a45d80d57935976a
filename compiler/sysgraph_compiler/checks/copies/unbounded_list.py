"""SG617: `for_each` over a list that may have any number of elements."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG617",
    title="for_each over a list without a bound",
    meaning="The program has a variable for every element that a list may have, so the parser, the "
    "field of a record or the tool node says how many that are at most: `max_items`. A shorter "
    "list leaves the last ones out.",
    wrong="""\
parsers:
  parts: {kind: lines, min_items: 1, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  comment: {kind: lm, for_each: {part: parts}, model: ada, prompt: "{{ part }}"}
edges:
  - draft -> parts
  - parts -> comment
""",
    right="""\
parsers:
  parts: {kind: lines, min_items: 1, max_items: 3, on_failure: reject}
nodes:
  parts: {kind: parse, parser: parts}
  comment: {kind: lm, for_each: {part: parts}, model: ada, prompt: "{{ part }}"}
edges:
  - draft -> parts
  - parts -> comment
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such parser, field or tool node, once, placed at the first `for_each`."""
    told: set[str] = set()
    for name, node in facts.graph.nodes.items():
        for key, source in node.spread.items():
            given = facts.graph.nodes.get(source)
            reader = given.reader if given else None
            if given is None or reader is None or given.most:
                continue
            said_of = source if given.tool_name else reader
            if said_of in told or facts.type_of(source) != "list[text]":
                continue
            told.add(said_of)
            said = f"how many copies of `{name}` there are at most is not known: {reader} "
            said += "has no `max_items`"
            help = f"add for example `max_items: {max(4, given.fewest)}` to {reader}"
            yield facts.diagnose(CODE, said, ("nodes", name, "for_each", key), help=help)
