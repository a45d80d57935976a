"""SG615: `for_each` over the elements of what is no parsed list."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, NodeSpec
from sysgraph_schemas.suggest import closest, listed, quoted, suggestion

from ...facts import Facts
from ...templates.types import ANY

CODE = Code(
    id="SG615",
    title="for_each over no list",
    meaning="`for_each: {caption: captions}` copies a node once per element of what a parser gives "
    "or a tool gives as a list. Copies by listed items are written in brackets.",
    wrong="""\
nodes:
  comment: {kind: lm, for_each: {part: draft}, model: ada, prompt: "{{ part }}"}
edges:
  - draft -> comment
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
    """Each such key."""
    if ("nodes",) in facts.broken:
        return
    nodes = facts.graph.nodes
    for name, node in nodes.items():
        for key, source in node.spread.items():
            if facts.is_broken("nodes", source) or facts.is_strange_field(source):
                continue
            given = nodes.get(source)
            said, help = _unknown(facts, key, source) if given is None else _not(facts, source)
            if said:
                yield facts.diagnose(CODE, said, ("nodes", name, "for_each", key), help=help)


def _unknown(facts: Facts, key: str, source: str) -> tuple[str, str]:
    nodes = facts.graph.nodes
    lists = [n for n in nodes if nodes[n].reader and facts.type_of(n) == "list[text]"]
    said = f"`for_each` names {quoted(source)}, which is no node"
    if closest(source, lists) is None:
        items = f"for items, write them in brackets: `{key}: [{source[:60]}]`"
        return said, f"{items}; the nodes that give lists are: {listed(lists) or 'none'}"
    return said, suggestion(source, lists, "the nodes that give lists are")


def _not(facts: Facts, source: str) -> tuple[str | None, str | None]:
    """What a node gives instead of a parsed list, and what would do."""
    node = facts.graph.nodes[source]
    if facts.expansion.is_group(source):
        said = f"`{source}` is copied by `for_each` itself: it is several values, not one list"
        if node.copies and not node.spread:
            keys = listed(f"`{key}`" for key in node.copies)
            return said, f"use the same listed items here as `{source}` has: {keys}"
        return said, "go through the elements of a parse node that is not copied"
    if node.reader is not None and facts.type_of(source) in ("list[text]", ANY):
        return None, None
    if node.parser_name is not None and facts.type_of(source) == "text":
        lists = "`lines` and `split` give lists"
        many = f"set `many: true` in the parser `{node.parser_name}`, or use another: {lists}"
        return f"`{source}` is one text: the parser `{node.parser_name}` gives no list", many
    if node.tool_name is not None and not node.parts:
        returns = f"if the tool gives one, add `returns: list` to `{source}`"
        return f"`{source}` is {_what(facts, node, source)}, not a list", returns
    return f"`{source}` is {_what(facts, node, source)}, not a parsed list", _instead(facts, source)


def _what(facts: Facts, node: NodeSpec, source: str) -> str:
    words = {"text": "a text", "choice": "a choice", "image": "an image", "record": "a record"}
    kind = "a list with no bound" if facts.type_of(source) == "list[text]" else ""
    return kind or words.get(facts.type_of(source), f"the value of {node.noun}")


def _instead(facts: Facts, source: str) -> str:
    if facts.type_of(source) == "record":
        parts = facts.graph.nodes[source].parts.items()
        able = [f"{source}.{key}" for key, part in parts if part.value_type == "list[text]"]
        return suggestion("", able, "its fields that are lists are")
    if facts.type_of(source) == "text" and not facts.graph.nodes[source].is_input:
        return f"add a parse node that reads `{source}` as a list, and go through its elements"
    return "go through the elements of a parse node whose parser gives a list"
