"""The diagram in Graphviz's language."""

from collections.abc import Iterator

from .palette import COLORS, MARKS, color, mark
from .spec import Box, Diagram, Link, LinkKind, Role, Shape

_SIGNS = dict(zip(MARKS, "■●◆▲", strict=True))


def dot(diagram: Diagram) -> str:
    """The diagram as DOT text."""
    return "\n".join(_lines(diagram)) + "\n"


def _lines(diagram: Diagram) -> Iterator[str]:
    heading = [diagram.title, diagram.description, diagram.note]
    yield f"digraph {_quote(diagram.title)} {{"
    yield f'  graph [label={_quote(*filter(None, heading))}, labelloc=t, fontname="Arial"]'
    yield '  node [fontname="Arial", fontsize=12, margin="0.15,0.08", shape=box]'
    yield '  edge [arrowsize=0.8, color="#57606a", fontname="Arial", fontsize=11]'
    number = {model.name: i for i, model in enumerate(diagram.models)}
    for box in diagram.boxes:
        yield f"  {box.id} [{', '.join(_attributes(box, number))}]"
    yield from _clusters(diagram, None, "  ")
    for link in diagram.links:
        yield f"  {link.source} -> {link.target}{_look(link)}"
    yield "}"


def _clusters(diagram: Diagram, parent: str | None, indent: str) -> Iterator[str]:
    """The parts, in one another as they are."""
    for frame in diagram.frames:
        if frame.parent == parent:
            yield f"{indent}subgraph cluster_{frame.id} {{"
            yield f'{indent}  graph [label={_quote(frame.title)}, style="rounded", labeljust=l]'
            yield from (f"{indent}  {box}" for box in frame.boxes)
            yield from _clusters(diagram, frame.id, indent + "  ")
            yield f"{indent}}}"


def _look(link: Link) -> str:
    parts = [f"label={_quote(link.label)}"] if link.label else []
    parts += _ARROWS[link.kind]
    return f" [{', '.join(parts)}]" if parts else ""


def _attributes(box: Box, number: dict[str, int]) -> Iterator[str]:
    turns = f"⟳ ×{box.turns}" if box.turns else ""
    extra = " ".join(filter(None, (box.badge, turns, "(output)" if box.output else "")))
    models = [f"{_SIGNS[mark(number[model])]} {model}" for model in box.models]
    lines = [f"{box.title} {extra}".rstrip(), box.subtitle, "  ".join(models), box.items]
    yield f"label={_quote(*filter(None, lines))}"
    yield f"shape={_SHAPES[box.shape]}"
    yield _style(box)
    if box.output:
        yield "peripheries=2"
    if len(box.models) == 1:
        yield f'color="{COLORS[color(number[box.models[0]])]}", penwidth=2'


def _quote(*lines: str) -> str:
    """A quoted string. A backslash would begin an escape, and `&` an HTML entity."""
    safe = [_cut(text).replace("\\", "\\\\").replace('"', '\\"') for text in lines]
    return '"' + "\\n".join(text.replace("&", "&amp;") for text in safe) + '"'


def _cut(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _style(box: Box) -> str:
    if box.shape == "pill":
        return 'style=filled, fillcolor="#eef1f4"'
    parts = [*(["rounded"] if box.shape == "box" else []), *_STROKES.get(box.role, ())]
    parts += ["diagonals"] if box.shape == "bars" else []
    return f'style="{",".join(parts)}"'


_STROKES: dict[Role, tuple[str, ...]] = {"frozen": ("dashed",), "mixed": ("dashed",)}
_ARROWS: dict[LinkKind, tuple[str, ...]] = {
    "value": (),
    "gate": ("style=dashed", "dir=both", "arrowtail=odiamond"),
    "next": ("style=dotted", "constraint=false"),
    "until": ("style=dotted", "constraint=false"),
}
_SHAPES: dict[Shape, str] = {
    "pill": "oval",
    "box": "box",
    "photo": "note",
    "hexagon": "hexagon",
    "bars": "box",
    "octagon": "octagon",
    "trapezoid": "invtrapezium",
}
