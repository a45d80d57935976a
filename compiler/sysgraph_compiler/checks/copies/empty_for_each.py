"""SG601: `for_each` over nothing."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG601",
    title="empty for_each",
    meaning="A node is copied once per item; with no items there is no node.",
    wrong="""\
nodes:
  draft: {kind: lm, for_each: {n: []}, model: ada, prompt: "{{ question }}"}
""",
    right="""\
nodes:
  draft: {kind: lm, for_each: {n: [1, 2]}, model: ada, prompt: "{{ question }}"}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each empty list."""
    for name, node in facts.graph.nodes.items():
        for key, items in node.copies.items():
            if not items:
                said = f"`{key}` has no items, so there is no copy of `{name}`"
                help = f"list at least one item, or remove `for_each` from `{name}`"
                yield facts.diagnose(CODE, said, ("nodes", name, "for_each", key), help=help)
