"""SG405: an edge whose value the child never uses."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, NodeSpec

from ...facts import Facts

CODE = Code(
    id="SG405",
    title="edge never used",
    severity="warning",
    meaning="The child's prompt does not use the parent's value, so the edge says the child "
    "depends on something that it never sees.",
    wrong='answer: {kind: lm, model: ada, prompt: "{{ question }}"}\n'
    "edges:\n  - question, draft -> answer\n",
    right='answer: {kind: lm, model: ada, prompt: "{{ question }} {{ draft }}"}\n'
    "edges:\n  - question, draft -> answer\n",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such edge, unless the child has undefined variables: one of them may be the parent."""
    for (parent, child), (edge, end, _) in facts.links.items():
        used = facts.uses.get(child)
        node = facts.graph.nodes[child]
        if (
            used is None
            or parent in facts.used(child)
            or not node.is_prompted
            or parent in facts.local(child)
        ):
            continue
        loop = facts.expansion.loop(child)
        if loop is not None and loop.over == parent:
            continue  # it says when the node runs, as a gate does
        if parent in node.gates or parent in node.spread.values() or _is_off(facts, child):
            continue
        if any(name not in facts.sees[child] and name not in facts.local(child) for name in used):
            continue
        yield facts.diagnose(
            CODE,
            f"`{child}` never uses `{parent}`, though this edge gives it",
            ("edges", edge.index),
            within=(end.start, end.end),
            help=_help(facts, parent, child, node),
        )


def _is_off(facts: Facts, child: str) -> bool:
    """Whether `when` or `for_each` names something else than was meant: likely the parent."""
    node, nodes = facts.graph.nodes[child], facts.graph.nodes
    gates = all(gate in nodes and nodes[gate].choices for gate in node.gates)
    return not gates or not all(n in nodes and facts.is_list(n) for n in node.spread.values())


def _help(facts: Facts, parent: str, child: str, node: NodeSpec) -> str:
    for key, items in node.copies.items():
        if parent in items:
            return f"for a copy per element of the list, write `{key}: {parent}` without brackets"
    said = facts.said(child, parent)
    if not said:  # a node of a part, from outside
        called = parent.replace(".", "_")
        return f"add `names: {{{called}: {parent}}}` to `{child}`, and use {{{{ {called} }}}}"
    return f"use {{{{ {said[0]} }}}} in the prompt of `{child}`, or remove the edge"
