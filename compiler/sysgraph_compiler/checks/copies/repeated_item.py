"""SG602: a `for_each` item, twice."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note
from sysgraph_schemas.suggest import quoted

from ...facts import Facts

CODE = Code(
    id="SG602",
    title="repeated for_each item",
    meaning="Copies are named after their items (`draft[ada]`), so no item comes twice. For "
    "several samples of one model, use a second key: `for_each: {agent: [ada], sample: [1, 2]}`.",
    wrong='draft: {kind: lm, for_each: {agent: [ada, ada]}, model: "{{ agent }}", prompt: hi}\n',
    right="draft:\n  kind: lm\n  for_each: {agent: [ada], sample: [1, 2]}\n"
    '  model: "{{ agent }}"\n  prompt: hi\n',
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each repetition; `1` and `"1"` give one name and count as equal."""
    for name, node in facts.graph.nodes.items():
        for key, items in node.copies.items():
            first: dict[str, int] = {}
            for index, item in enumerate(items):
                path = ("nodes", name, "for_each", key)
                if str(item) in first:
                    where = facts.value((*path, first[str(item)]))
                    said = f"the item {quoted(str(item))} of `{key}` is given twice"
                    help = "several samples of one model: add a key, `sample: [1, 2]`"
                    notes = (Note("first given here", where),)
                    yield facts.diagnose(CODE, said, (*path, index), help=help, notes=notes)
                first.setdefault(str(item), index)
