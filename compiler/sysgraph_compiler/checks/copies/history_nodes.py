"""SG623: a history of what is no node of the loop."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG623",
    title="history of no node of the loop",
    meaning="`history` names nodes of the loop, each once: what is remembered of every turn. What "
    "is outside of the loop is the same in all turns. Of images, no history is kept.",
    wrong="""\
nodes:
  draft:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for t in turns %} {{ t.draft }}{% endfor %}"
loops:
  turns: {repeat: 3, nodes: [draft], history: [question, draft]}
""",
    right="""\
nodes:
  draft:
    kind: lm
    model: ada
    prompt: "{{ question }}{% for t in turns %} {{ t.draft }}{% endfor %}"
loops:
  turns: {repeat: 3, nodes: [draft], history: [draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such name."""
    if ("nodes",) in facts.broken:
        return
    for loop, spec in facts.graph.loops.items():
        for index, name in enumerate(spec.history):
            help: str | None = "remove it"
            if name in spec.history[:index]:
                said = f"`{name}` is in `history` already"
            elif name not in spec.nodes:
                said = f"`history` of `{loop}` names {quoted(name)}, which is no node of the loop"
                help = suggestion(name, spec.nodes, "the nodes of the loop are")
            elif name in facts.graph.nodes and facts.type_of(name) == "image":
                said = f"`{name}` is an image, and a history has texts alone"
            else:
                continue
            yield facts.diagnose(CODE, said, ("loops", loop, "history", index), help=help)
