"""SG618: a loop that ends by what is no choice of its own."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted, suggestion

from ...facts import Facts

CODE = Code(
    id="SG618",
    title="until on no choice of the loop",
    meaning="`until` names a choice among the nodes of the loop, and options of it: once it came "
    "out so, the later turns do not run. A choice with `for_each` is several, and one outside of "
    "the loop is the same in every turn.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}
loops:
  refine: {repeat: 3, until: {draft: ok}, nodes: [draft], carry: [draft -> draft]}
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
    """Unknown names, nodes of other kinds, copied choices, and choices outside of the loop."""
    if ("nodes",) in facts.broken:
        return
    nodes = facts.graph.nodes
    for loop, spec in facts.graph.loops.items():
        name = spec.options[0] if spec.options else None
        if name is None or facts.is_broken("nodes", name):
            continue
        inside = [one for one in spec.nodes if one in nodes and nodes[one].choices]
        help = suggestion(name, inside, "the choices of the loop are")
        if not inside:
            help = "add a choice to the loop: a node with `options` that says whether to go on"
        if name not in nodes:
            said = f"`until` names {quoted(name)}, which is no node"
        elif not nodes[name].choices:
            said = f"`until` names `{name}`, which is {nodes[name].noun} and has no options"
        elif name not in spec.nodes:
            said = f"`until` names `{name}`, which is the same in every turn of `{loop}`"
            help = f"add `{name}` to `nodes` of the loop, or name a choice of the loop"
        elif facts.expansion.is_group(name):
            said = f"`{name}` is copied by `for_each`, so it is several choices in every turn"
            help = "name a choice without `for_each`"
        else:
            continue
        yield facts.diagnose(CODE, said, ("loops", loop, "until", name), key=True, help=help)
