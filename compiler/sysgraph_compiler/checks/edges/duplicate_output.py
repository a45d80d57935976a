"""SG209: one output, twice."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note
from sysgraph_schemas.suggest import quoted

from ...facts import Facts

CODE = Code(
    id="SG209",
    title="duplicate output",
    meaning="`outputs` names a node twice.",
    wrong="outputs: [answer, answer]\n",
    right="outputs: [answer]\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each repetition."""
    first: dict[str, int] = {}
    for index, name in enumerate(facts.graph.outputs):
        if facts.is_broken("outputs", index):
            continue
        if name in first:
            note = Note("first given here", facts.value(("outputs", first[name])))
            said = f"the output {quoted(name)} is given twice"
            yield facts.diagnose(CODE, said, ("outputs", index), help="remove it", notes=(note,))
        first.setdefault(name, index)
