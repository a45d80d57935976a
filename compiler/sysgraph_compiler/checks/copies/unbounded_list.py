"""SG617: `for_each` over a list that may have any number of elements."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, gives_list

from ...facts import Facts

CODE = Code(
    id="SG617",
    title="for_each over a list without a bound",
    meaning="The program has a variable for every element that a list may have, so the parser "
    "or the tool node says how many that are at most: `max_items`. A shorter list leaves the last "
    "ones out.",
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
    """Each such parser, once, placed at the first `for_each`."""
    told: set[str] = set()
    for name, node in facts.graph.nodes.items():
        for key, source in node.spread.items():
            given = facts.graph.nodes.get(source)
            if given and given.tool_name and facts.is_list(source) and not given.most_items:
                said = f"how many copies of `{name}` there are at most is not known: the tool node "
                said += f"`{source}` has no `max_items`"
                help = f"add for example `max_items: {max(4, given.fewest_items)}` to `{source}`"
                path = ("nodes", name, "for_each", key)
                yield facts.diagnose(CODE, said, path, help=help)
                continue
            parser = (given.parser_name if given else None) or ""
            spec = facts.graph.parsers.get(parser)
            if spec is None or not gives_list(spec) or spec.max_items or parser in told:
                continue
            told.add(parser)
            said = f"how many copies of `{name}` there are at most is not known: the parser "
            said += f"`{parser}` has no `max_items`"
            help = f"add for example `max_items: {max(4, spec.min_items)}` to the parser `{parser}`"
            yield facts.diagnose(CODE, said, ("nodes", name, "for_each", key), help=help)
