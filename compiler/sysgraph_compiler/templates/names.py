"""The names a template needs from outside: `question`, or `call.query` for a record's field."""

from jinja2 import nodes

from .filters import OTHERS
from .parse import Parsed


def free_names(parsed: Parsed) -> dict[str, int]:
    """Every name that no loop of the template defines, with the line where it is first used."""
    found: dict[str, int] = {}
    _collect(parsed.tree, frozenset(), found)
    return found


def dotted(node: nodes.Node) -> str | None:
    """`call.query` for what is written so; None for all else."""
    steps: list[str] = []
    while isinstance(node, nodes.Getattr):  # a chain may be longer than Python's stack
        steps.append(node.attr)
        node = node.node
    if not steps or not isinstance(node, nodes.Name):
        return None
    return ".".join([node.name, *reversed(steps)])


def asks_fields(parsed: Parsed) -> bool:
    """Whether it asks values for fields, or filters by them."""
    asking = parsed.tree.find_all((nodes.Getattr, nodes.Filter))
    return any(
        not _is_loop(one.node)
        if isinstance(one, nodes.Getattr)
        else isinstance(one, nodes.Filter) and one.name == OTHERS
        for one in asking
    )


def _is_loop(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "loop"


def _collect(node: nodes.Node, local: frozenset[str], found: dict[str, int]) -> None:
    if isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name not in local and node.name not in found:
            found[node.name] = node.lineno
        return
    if (name := dotted(node)) and name.partition(".")[0] not in local:
        found.setdefault(name, node.lineno)
        return
    if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name):
        inner = local | {node.target.name, "loop"}
        _collect(node.iter, local, found)
        for child in (*([node.test] if node.test else []), *node.body):
            _collect(child, inner, found)
        for child in node.else_:
            _collect(child, local, found)
        return
    for child in node.iter_child_nodes():
        _collect(child, local, found)
