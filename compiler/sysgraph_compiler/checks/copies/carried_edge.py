"""SG612: a value that is both this turn's and the last one's."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Note
from sysgraph_schemas.limits import MAX_EDGES

from ...edges import Edge, End
from ...expansion import carry_edges
from ...facts import Facts

CODE = Code(
    id="SG612",
    title="edge that is carried too",
    meaning="An edge gives a node the value of the same turn, `carry` that of the turn before. "
    "With both, one name in the prompt would be two values.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  critique: {kind: lm, model: ada, prompt: "{{ draft }}"}
edges:
  - question, critique -> draft
  - draft -> critique
loops:
  refine: {repeat: 3, nodes: [draft, critique], carry: [critique -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  critique: {kind: lm, model: ada, prompt: "{{ draft }}"}
edges:
  - question -> draft
  - draft -> critique
loops:
  refine: {repeat: 3, nodes: [draft, critique], carry: [critique -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such pair, and pairs that are carried twice, placed at `carry`."""
    if facts.expansion.carry_count > MAX_EDGES:
        return
    for loop, spec in facts.graph.loops.items():
        for edge in carry_edges(spec):
            for parent, child in edge.pairs():
                pair = (parent.name, child.name)
                inside = {facts.expansion.loop_of.get(name) for name in pair} == {loop}
                if pair in facts.links and inside:
                    yield _twice(facts, loop, edge, parent, child)
                elif pair in facts.expansion.carried:
                    yield from _repeated(facts, loop, edge, parent, child)


def _twice(facts: Facts, loop: str, edge: Edge, parent: End, child: End) -> Diagnostic:
    other, end, _ = facts.links[parent.name, child.name]
    said = f"`{parent.name} -> {child.name}` is an edge and is carried too"
    said += f": `{parent.name}` would be two values"
    help = "keep one: the edge gives the value of the same turn, `carry` that of the turn before"
    notes = (Note("the edge", facts.value(("edges", other.index), (end.start, end.end))),)
    at = ("loops", loop, "carry", edge.index)
    within = (parent.start, parent.end)
    return facts.diagnose(CODE, said, at, within=within, help=help, notes=notes)


def _repeated(facts: Facts, loop: str, edge: Edge, parent: End, child: End) -> Iterator[Diagnostic]:
    where, first, end, _ = facts.expansion.carried[parent.name, child.name]
    if where != loop or (first, end) == (edge, parent):
        return
    said = f"`{parent.name} -> {child.name}` is carried already"
    place = facts.value(("loops", loop, "carry", first.index), (end.start, end.end))
    at = ("loops", loop, "carry", edge.index)
    within, notes = (parent.start, parent.end), (Note("first given here", place),)
    yield facts.diagnose(CODE, said, at, within=within, help="remove it", notes=notes)
