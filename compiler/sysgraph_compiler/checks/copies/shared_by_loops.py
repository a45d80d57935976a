"""SG609: a node that runs in two loops, or is named twice in one."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note

from ...facts import Facts

CODE = Code(
    id="SG609",
    title="node in a loop, twice",
    meaning="A node is in one loop, once: it has one number of turns.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, nodes: [draft], carry: [draft -> draft]}
  polish: {repeat: 2, nodes: [draft], carry: [draft -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 5, nodes: [draft], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each repetition."""
    first: dict[str, tuple[str, int]] = {}
    for loop, spec in facts.graph.loops.items():
        for index, name in enumerate(spec.nodes):
            other, at = first.setdefault(name, (loop, index))
            if (other, at) == (loop, index) or not facts.knows(name):
                continue
            said = f"`{name}` is in the loop `{other}` already"
            help = "remove it" if other == loop else "loops do not share nodes: keep it in one"
            notes = (Note("first given here", facts.value(("loops", other, "nodes", at))),)
            path = ("loops", loop, "nodes", index)
            yield facts.diagnose(CODE, said, path, help=help, notes=notes)
