"""SG404: a prompt that uses a node with no edge from it."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic

from ...facts import Facts
from ...loop_hint import entry

CODE = Code(
    id="SG404",
    title="variable without an edge",
    meaning="The edges say what a node depends on, and with it the factorization. A prompt can "
    "only use nodes that an edge leads from.",
    wrong='answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}\n'
    "edges:\n  - question -> answer\n",
    right='answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}\n'
    "edges:\n  - question, draft -> answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such name, once per node; the help is the edge to add."""
    if ("edges",) in facts.broken:
        return
    for node, used in facts.uses.items():
        if node in facts.doubtful:
            continue
        sees = {*facts.sees[node], *facts.local(node)}
        missing = [name for name in used if name not in sees and name in facts.graph.nodes]
        for name in missing:
            path = used[name]
            yield facts.diagnose(
                CODE,
                f"`{node}` uses `{name}`, but no edge leads from `{name}` to it",
                path,
                within=facts.place_of(name, path),
                help=_help(facts, name, node, missing),
            )


def _help(facts: Facts, parent: str, child: str, missing: list[str]) -> str:
    if parent != child and not facts.depends(parent, on=child):
        return f"add to `edges`: - {parent} -> {child}"
    later = [name for name in missing if name == child or facts.depends(name, on=child)]
    between = {child, *later}
    for name in later:
        between |= facts.dag.below(child).keys() & facts.dag.above(name).keys()
    inside = [name for name in facts.graph.nodes if name in between]
    as_loop = f"that of the turn before, {entry(facts, inside, [(name, child) for name in later])}"
    if parent == child:
        return f"`{child}` cannot read its own value; to read {as_loop}"
    return f"`{parent}` depends on `{child}`, so an edge would close a cycle; to read {as_loop}"
