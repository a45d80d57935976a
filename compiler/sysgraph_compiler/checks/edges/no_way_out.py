"""SG207: a node that no output needs."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts

CODE = Code(
    id="SG207",
    title="node that leads nowhere",
    severity="warning",
    meaning="No other node reads this one and it is no output, so it costs time and changes "
    "nothing.",
    wrong="""\
nodes:
  hint: {kind: input}
""",
    right="""\
nodes:
  hint: {kind: input}
  answer: {kind: lm, model: ada, prompt: "{{ question }} {{ hint }} {{ draft }}"}
edges:
  - question, hint, draft -> answer
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Sinks that are no outputs; what only leads to them follows and is not repeated.

    The nodes of a loop that read one another's last turn are one sink.
    """
    outputs = facts.graph.outputs
    sound = all(name in facts.graph.nodes for name in outputs)
    if not facts.is_wired or facts.has_cycle or not sound:
        return
    wanted = {  # SG404 asks for the edge
        name for child, used in facts.uses.items() for name in used if name not in facts.sees[child]
    }
    for node in facts.graph.nodes.values():  # as do SG311, SG616 and SG902
        wanted |= {*node.arguments.values(), *node.spread.values(), *node.gates}
    for loop, spec in facts.graph.loops.items():
        wanted |= {spec.options[0]} if spec.options else set()
        is_used = any(loop in used for used in facts.uses.values())
        wanted |= (
            {*spec.history, *([spec.over] if spec.over else [])} if is_used or spec.over else set()
        )
    for name in _last(facts, {*outputs, *wanted}):
        node = facts.graph.nodes[name]
        what = "input" if node.is_input else "node"
        help = (
            f"add an edge from it, or remove it{'' if node.is_input else ', or make it an output'}"
        )
        said = f"nothing reads the {what} `{name}`, and it is no output"
        if name in facts.expansion.loop_of and facts.dag.children(name):
            said = f"nothing outside of its loop reads `{name}`, and it is no output"
        yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)


def _last(facts: Facts, useful: set[str]) -> Iterator[str]:
    """Of each sink without anything useful in it, the last node in the order of the file."""
    if not facts.expansion.carried and useful.issuperset(facts.dag.ends()):
        return
    reading = facts.dag.part(facts.dag)
    reading.add(facts.expansion.carried)
    rank = {name: index for index, name in enumerate(facts.graph.nodes)}
    for some in reading.tangles():
        leads_on = any(other not in some for name in some for other in reading.children(name))
        if not leads_on and not some & useful:
            yield max(some, key=rank.__getitem__)
