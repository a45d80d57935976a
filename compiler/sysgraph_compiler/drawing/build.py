"""From a program to its drawing."""

from collections.abc import Sequence

from ..program import Program
from .clean import line
from .fold import fold
from .nodes import NodeLink, read_models, read_nodes
from .spec import Box, Drawing, Link, Node, Role


def draw(program: Program) -> Drawing:
    """The drawing of a program: the same program gives the same drawing."""
    nodes, links = read_nodes(program)
    folded = fold(nodes, links)
    by_name = {node.name: node for node in nodes}
    boxes = tuple(
        _box(f"n{i}", [by_name[name] for name in group]) for i, group in enumerate(folded.groups)
    )
    return Drawing(
        title=line(program.name),
        description=line(program.description),
        note=folded.note,
        boxes=boxes,
        links=_links(boxes, links),
        models=read_models(program),
        nodes=nodes,
    )


def _links(boxes: Sequence[Box], links: Sequence[NodeLink]) -> tuple[Link, ...]:
    home = {name: box.id for box in boxes for name in box.nodes}
    found: dict[tuple[str, str], bool] = {}
    for link in links:
        key = home[link.parent], home[link.child]
        found[key] = found.get(key, True) and link.paired
    return tuple(Link(*key, paired) for key, paired in found.items() if key[0] != key[1])


def _box(id: str, nodes: Sequence[Node]) -> Box:
    first = nodes[0]
    models = tuple(dict.fromkeys(model for node in nodes for model in node.models))
    roles: list[Role] = list(dict.fromkeys(node.role for node in nodes))
    role = roles[0] if len(roles) == 1 else "mixed"
    alone = len(nodes) == 1
    copies = len(first.copies)
    stacked = not alone or first.each is not None
    return Box(
        id=id,
        title=first.name if alone else f"{first.name} … {nodes[-1].name}",
        subtitle=_single(first) if alone else _several(nodes, role),
        badge=f"×{copies if alone else len(nodes)}" if stacked else "",
        items=_items(first) if alone else "",
        role=role,
        models=models,
        output=any(node.output for node in nodes),
        stacked=stacked,
        nodes=tuple(node.name for node in nodes),
    )


def _single(node: Node) -> str:
    if node.role == "input":
        return node.kind
    if node.parser is not None:
        return f"{node.kind} · {node.parser.partition(',')[0].rstrip(')').replace(' (', ': ')}"
    return f"{node.kind} · {_WORDS[node.role]}"


def _several(nodes: Sequence[Node], role: Role) -> str:
    kinds = list(dict.fromkeys(node.kind for node in nodes))
    return f"{len(nodes)} nodes: {', '.join(kinds)} · {_WORDS[role]}"


def _items(node: Node) -> str:
    """The `for_each` items; the models tell where they are the items."""
    if node.each is None or set(node.models) == set(node.each.partition(": ")[2].split(", ")):
        return ""
    return line(node.each)


_WORDS: dict[Role, str] = {
    "input": "input",
    "trained": "trained",
    "frozen": "frozen",
    "mixed": "mixed",
    "deterministic": "deterministic",
}
