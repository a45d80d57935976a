"""SG603: a `for_each` key that is also a node."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note

from ...facts import Facts

CODE = Code(
    id="SG603",
    title="for_each key that shadows a node",
    meaning="In the node's templates the name would mean two things: the item and the node's "
    "value.",
    wrong="nodes:\n  question: {kind: input}\n"
    "  draft: {kind: lm, for_each: {question: [a, b]}, model: ada, prompt: hi}\n",
    right="nodes:\n  question: {kind: input}\n"
    "  draft: {kind: lm, for_each: {topic: [a, b]}, model: ada, prompt: hi}\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such key."""
    for name, node in facts.graph.nodes.items():
        for key in (*node.copies, *node.spread):
            if facts.knows(key):
                path = ("nodes", name, "for_each", key)
                notes = (Note("the node", facts.key(("nodes", key))),)
                said = f"the `for_each` key `{key}` is also the name of a node"
                help = "rename it"
                if node.spread.get(key) == key:
                    help = f"give an element a name of its own: `{key}_item: {key}`"
                yield facts.diagnose(CODE, said, path, key=True, help=help, notes=notes)
