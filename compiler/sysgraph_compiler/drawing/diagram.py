"""From a program to its diagram."""

from collections.abc import Sequence
from dataclasses import replace

from ..program import Program
from .clean import line
from .fold import fold
from .frames import frames_of, inner_title
from .nodes import NodeLink, read_models, read_nodes
from .spec import BACK, Box, Diagram, Link, LinkKind, Node, Role


def diagram(program: Program) -> Diagram:
    """The diagram of a program: the same program gives the same diagram."""
    nodes, links = read_nodes(program)
    folded = fold(nodes, [link for link in links if link.kind not in BACK])
    by_name = {node.name: node for node in nodes}
    boxes = tuple(
        _box(f"n{i}", [by_name[name] for name in group]) for i, group in enumerate(folded.groups)
    )
    frames = frames_of(boxes)
    if frames:
        names = [node.name for node in nodes]
        boxes = tuple(replace(box, title=inner_title(box, names)) for box in boxes)
    return Diagram(
        title=line(program.name),
        description=line(program.description),
        note=folded.note,
        boxes=boxes,
        links=_links(boxes, links),
        models=read_models(program),
        nodes=nodes,
        frames=frames,
    )


def _links(boxes: Sequence[Box], links: Sequence[NodeLink]) -> tuple[Link, ...]:
    """The links between boxes; a label that not all of a box's have is left out."""
    home = {name: box.id for box in boxes for name in box.nodes}
    found: dict[tuple[str, str, LinkKind], str] = {}
    for link in links:
        key = home[link.parent], home[link.child], link.kind
        if key[0] != key[1] or link.kind in BACK:
            found[key] = link.label if found.get(key, link.label) == link.label else ""
    return tuple(Link(*key, label) for key, label in found.items())


def _box(id: str, nodes: Sequence[Node]) -> Box:
    first = nodes[0]
    models = tuple(dict.fromkeys(model for node in nodes for model in node.models))
    roles: list[Role] = list(dict.fromkeys(node.role for node in nodes))
    role = roles[0] if len(roles) == 1 else "mixed"
    alone = len(nodes) == 1
    shapes = {node.shape for node in nodes}
    return Box(
        id=id,
        title=first.name if alone else f"{first.name} … {nodes[-1].name}",
        subtitle=_single(first) if alone else _several(nodes, role),
        badge=first.badge if alone else f"×{len(nodes)}",
        turns=first.turns if len({node.loop for node in nodes}) == 1 else "",
        items=_items(first) if alone else "",
        shape=first.shape if len(shapes) == 1 else "box",
        role=role,
        models=models,
        output=any(node.output for node in nodes),
        stacked=not alone or bool(first.badge),
        nodes=tuple(node.name for node in nodes),
    )


def _single(node: Node) -> str:
    if node.role == "input":
        return node.kind if node.type == "text" else f"{node.kind} · {node.type}"
    if node.parser is not None:
        what = node.parser.partition(",")[0].rstrip(")").replace(" (", ": ")
        return f"{node.kind} · {what}" + (f" of {', '.join(node.options)}" if node.options else "")
    if node.tool is not None:
        return f"{node.kind} · {node.tool.partition(',')[0]}"
    if node.options:
        return f"{node.kind} · {_WORDS[node.role]}: {', '.join(node.options)}"
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
