"""The names a template needs from outside."""

from functools import lru_cache

from jinja2 import nodes

from .parse import Parsed


@lru_cache(maxsize=256)
def free_names(parsed: Parsed) -> dict[str, tuple[int, int]]:
    """Every name that no loop of the template defines, with its first place (start, end)."""
    found: dict[str, tuple[int, int]] = {}
    _collect(parsed, parsed.tree, frozenset(), found)
    return found


def _collect(
    parsed: Parsed, node: nodes.Node, local: frozenset[str], found: dict[str, tuple[int, int]]
) -> None:
    if isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name not in local and node.name not in found:
            found[node.name] = parsed.find(node.name, node.lineno)
        return
    if isinstance(node, nodes.For) and isinstance(node.target, nodes.Name):
        inner = local | {node.target.name, "loop"}
        _collect(parsed, node.iter, local, found)
        for child in (*([node.test] if node.test else []), *node.body):
            _collect(parsed, child, inner, found)
        for child in node.else_:
            _collect(parsed, child, local, found)
        return
    for child in node.iter_child_nodes():
        _collect(parsed, child, local, found)
