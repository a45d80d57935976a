"""SG908: a branch that is never selected."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...templates.types import ANY

CODE = Code(
    id="SG908",
    title="branch that is never taken",
    severity="warning",
    meaning="Of several branches that ran, a select node takes the first in the order of the "
    "edges. Whenever this one runs, one before it does too.",
    wrong="""\
nodes:
  hint: {kind: lm, model: ada, prompt: "{{ question }}"}
  chosen: {kind: select}
edges:
  - question -> hint
  - draft, hint -> chosen
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  hint: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
  chosen: {kind: select}
edges:
  - question -> route
  - question, route -> hint
  - hint, draft -> chosen
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such branch; what may fail to parse does not always run."""
    if not facts.has_ways:
        return
    fallible = _fallible(facts)
    for name, node in facts.graph.nodes.items():
        if not node.takes_any or facts.type_of(name) == ANY:  # SG508
            continue
        before = 0
        for parent in facts.reads(name):
            ways = facts.presence.of[parent]
            copies = facts.expansion.number_seen(parent, name) > 1
            gates = facts.graph.nodes[parent].gates.values()
            alike = not any("{" in option for options in gates for option in options)
            edge, end, _ = facts.links[parent, name]
            at, within = ("edges", edge.index), (end.start, end.end)
            if ways and not ways & ~before:
                said = f"`{name}` never selects `{parent}`: whenever it runs, a branch before does"
                help = "give the branches gates that exclude one another, or change their order"
                yield facts.diagnose(CODE, said, at, within=within, help=help)
            elif copies and alike and parent not in fallible:
                said = f"`{name}` only ever selects the first copy of `{parent}`: all of them run"
                help = f'give `{parent}` a gate for each copy: `when: {{route: "{{{{ key }}}}"}}`'
                yield facts.diagnose(CODE, said, at, within=within, help=help)
            if parent not in fallible:
                before |= ways


def _fallible(facts: Facts) -> set[str]:
    """Nodes that a failing parser or tool can take away."""
    found: set[str] = set()
    for name in facts.dag.order():
        node = facts.graph.nodes[name]
        if node.can_end or any(parent in found for parent in facts.dag.parents(name)):
            found.add(name)
    return found
