"""SG914: a loop that ends by a choice which some turns do not make."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG914",
    title="until on a choice that may not run",
    severity="warning",
    meaning="Where the choice of `until` is turned off by a gate, nothing says that the loop goes "
    "on: that turn is its last one.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  route: {kind: choice, model: ada, prompt: "{{ draft }}", options: [check, skip]}
  verdict:
    {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, bad], when: {route: check}}
edges:
  - draft -> route
  - draft, route -> verdict
loops:
  refine:
    repeat: 3
    until: {verdict: ok}
    nodes: [draft, route, verdict]
    carry: [draft -> draft]
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, skip, bad]}
edges:
  - draft -> verdict
loops:
  refine:
    repeat: 3
    until: {verdict: [ok, skip]}
    nodes: [draft, verdict]
    carry: [draft -> draft]
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such loop, with one way in which its choice does not run though the loop does."""
    if not facts.has_ways:
        return
    first = facts.presence.first
    for loop, spec in facts.graph.loops.items():
        if spec.options is None or spec.options[0] not in first:
            continue
        name = spec.options[0]
        runs = 0
        for node in spec.nodes:
            runs |= first.get(node, 0)
        off = runs & ~first[name]
        if name in spec.nodes and first[name] and off:
            said = f"where {facts.presence.shown(off)}, `{name}` does not run, which ends `{loop}`"
            help = f"let `{name}` run in every turn, or give it an option for that case"
            path = ("loops", loop, "until", name)
            yield facts.diagnose(CODE, said, path, key=True, help=help)
