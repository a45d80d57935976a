"""SG606: a `for_each` item that cannot name a copy."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.limits import MAX_ITEM

from ...facts import Facts

CODE = Code(
    id="SG606",
    title="for_each item that names nothing",
    meaning="Copies are named after their items (`draft[ada]`), so an item is one line of text, "
    f"not empty and with at most {MAX_ITEM} characters, or a number.",
    wrong="""\
nodes:
  draft: {kind: lm, for_each: {n: ["", b]}, model: ada, prompt: "{{ question }}"}
""",
    right="""\
nodes:
  draft: {kind: lm, for_each: {n: [a, b]}, model: ada, prompt: "{{ question }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such item."""
    for name, node in facts.graph.nodes.items():
        for key, items in node.copies.items():
            for index, item in enumerate(items):
                text = str(item)
                if text.strip() and text.isprintable() and len(text) <= MAX_ITEM:
                    continue
                why = "is empty" if not text.strip() else "has a character that is not printable"
                if len(text) > MAX_ITEM:
                    why = f"has {len(text)} characters; the most is {MAX_ITEM}"
                path = ("nodes", name, "for_each", key, index)
                yield facts.diagnose(CODE, f"this item of `{key}` {why}", path)
