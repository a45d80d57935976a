"""SG622: a name that a loop gives its templates, and that means something else there."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Loop, Note
from sysgraph_schemas.diagnostics import Path

from ...expansion import NUMBER, ROUND, ROUNDS
from ...facts import Facts
from ..models.reserved_name import RESERVED

CODE = Code(
    id="SG622",
    title="name of a loop that is taken",
    meaning="In the templates of a loop, the name of a loop with `history` is the list of its "
    "earlier turns, and what `as` says (else `element`) the element of `over`: neither is a node, "
    "a `for_each` key of the loop's nodes, or a word that templates know.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft | length }}"}
loops:
  draft: {repeat: 3, nodes: [draft], history: [draft]}
""",
    right="""\
nodes:
  draft:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for turn in drafts %} {{ turn.draft }}{% endfor %}"
loops:
  drafts: {repeat: 3, nodes: [draft], history: [draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such name."""
    for loop, spec in facts.graph.loops.items():
        given: dict[str, Path] = {}
        if spec.history:
            given[loop] = ("loops", loop)
        if spec.over is not None:
            said = "as" if "element" in spec.model_fields_set else "over"
            if spec.element in given:
                yield _clash(facts, spec.element, ("loops", loop, said), "the loop's own name")
            given.setdefault(spec.element, ("loops", loop, said))
        for name, path in given.items():
            meaning = _meaning(facts, spec, name)
            if meaning is not None:
                yield _clash(facts, name, path, meaning)


def _meaning(facts: Facts, spec: Loop, name: str) -> str | None:
    nodes = facts.graph.nodes
    if facts.knows(name):
        return "a node"
    if name in {ROUND, ROUNDS, NUMBER, *RESERVED}:
        return "a word that templates know"
    keyed = [node for node in spec.nodes if node in nodes and name in nodes[node].each]
    return f"a `for_each` key of `{keyed[0]}`" if keyed else None


def _clash(facts: Facts, name: str, path: Path, meaning: str) -> Diagnostic:
    notes = (Note("the node", facts.key(("nodes", name))),) if facts.knows(name) else ()
    is_loop = len(path) == 2
    what = "the turns of a loop with `history`" if is_loop else "the element of `over`"
    said = f"`{name}` is to be {what}, and it is {meaning} already"
    help = "rename the loop" if is_loop else f"give it another name: `as: {name}_`"
    return facts.diagnose(CODE, said, path, key=is_loop, help=help, notes=notes)
