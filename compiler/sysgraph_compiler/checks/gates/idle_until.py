"""SG913: an `until` that decides nothing."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG913",
    title="until that decides nothing",
    severity="warning",
    meaning="`until` ends a loop before its last turn. It never does where there is one turn, and "
    "always after the first where it names every option of the choice.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, bad]}
edges:
  - draft -> verdict
loops:
  refine: {repeat: 3, until: {verdict: [ok, bad]}, nodes: [draft, verdict], carry: [draft -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
  verdict: {kind: choice, model: ada, prompt: "{{ draft }}", options: [ok, bad]}
edges:
  - draft -> verdict
loops:
  refine: {repeat: 3, until: {verdict: ok}, nodes: [draft, verdict], carry: [draft -> draft]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such loop."""
    for loop, spec in facts.graph.loops.items():
        node = facts.graph.nodes.get(spec.options[0]) if spec.options else None
        if spec.options is None or node is None or not node.choices:
            continue  # SG618
        name, options = spec.options
        path = ("loops", loop, "until", name)
        if {*node.choices} <= {*options}:
            said = f"`{loop}` always ends after its first turn: `until` names every option"
            help = f"leave out the options of `{name}` under which it goes on"
            yield facts.diagnose(CODE, said, path, help=help)
        elif facts.expansion.turns(name) == 1 and spec.repeat == 1:
            said = f"`{loop}` has one turn, which `until` cannot end before"
            yield facts.diagnose(
                CODE, said, path, key=True, help="raise `repeat`, or remove `until`"
            )
