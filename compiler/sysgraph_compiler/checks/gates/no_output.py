"""SG906: outputs that may all be missing."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...facts import Facts

CODE = Code(
    id="SG906",
    title="no output in some cases",
    meaning="Gates turn nodes off, and what depends on them. However the choices come out and "
    "whichever lists are empty, at least one output must be left. A text that a parser rejects is "
    "no such case: `on_failure` says that the trace ends there and loses (`reject`), or that the "
    "scorer judges it (`abstain`). A verifier that lets only some answers pass reads one option.",
    wrong="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  answer: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
edges:
  - question -> route
  - question, route -> answer
""",
    right="""\
nodes:
  route: {kind: choice, model: ada, prompt: "{{ question }}", options: [math, other]}
  careful: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: math}}
  quick: {kind: lm, model: ada, prompt: "{{ question }}", when: {route: other}}
  answer: {kind: select}
edges:
  - question -> route
  - question, route -> careful, quick
  - careful, quick -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Tells one way in which nothing is left."""
    outputs = facts.graph.outputs
    nodes = facts.graph.nodes
    if not facts.has_ways or not all(name in nodes for name in outputs):
        return
    presence = facts.presence
    ways = presence.everything
    for name in outputs:
        if not presence.first[name]:
            return  # SG909 speaks of nodes that never run
        ways &= ~presence.of[name]
    if ways:
        what = f"the output {listed(f'`{name}`' for name in outputs)} does not exist"
        if len(outputs) > 1:
            what = f"none of the outputs {listed((f'`{name}`' for name in outputs), 8)} exists"
        lacking = "a turn of a loop lacks what is carried into it"
        said = f"where {presence.shown(ways) or lacking}, {what}"
        path = ("outputs", 0) if len(outputs) == 1 else ("outputs",)
        yield facts.diagnose(CODE, said, path, help=_help(facts, ways))


def _help(facts: Facts, ways: int) -> str:
    """What to change: the list of an empty one, or another branch."""
    matters = facts.presence.matters(ways)
    lists = [name for name in matters if not facts.graph.nodes[name].choices]
    if lists:
        reader = facts.graph.nodes[lists[0]].reader
        return f"set `min_items: 1` in {reader}: an empty list is a failure then"
    if not matters:
        return "carry a select node over the branches of the loop instead"
    read = [name for name in matters if facts.graph.nodes[name].reader]
    if read:
        option, reader = matters[read[0]], facts.graph.nodes[read[0]].reader
        return (
            f"add a branch for this case, or take `{option}` out of the options of {reader}: it is "
            "a failure then, and `on_failure` says what that means"
        )
    return "add a branch for this case, and a select node over the branches as the output"
