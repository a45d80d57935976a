"""The diagram as a Mermaid flowchart, as GitHub renders it in Markdown."""

import json
from collections.abc import Iterator

from .cards import TITLE
from .measure import elide
from .palette import COLORS, MARKS, color, mark
from .spec import Box, Diagram, Link, LinkKind, Shape

_SIGNS = dict(zip(MARKS, "■●◆▲", strict=True))
_MOST = 400.0
"""Widest line of a label, px: Mermaid wraps, but draws one long word as it is."""


def mermaid(diagram: Diagram) -> str:
    """The diagram as Mermaid text. Ids are our own; labels are quoted and escaped."""
    return "\n".join(_lines(diagram)) + "\n"


def _lines(diagram: Diagram) -> Iterator[str]:
    yield from ("---", f"title: {json.dumps(_plain(diagram.title))}", "---", "flowchart TD")
    if diagram.note:
        yield f"  %% {_plain(diagram.note)}"
    number = {model.name: i for i, model in enumerate(diagram.models)}
    for box in diagram.boxes:
        opening, closing = _SHAPES[box.shape]
        yield f'  {box.id}{opening}"{_label(box, number)}"{closing}'
    yield from _subgraphs(diagram, None, "  ")
    for link in diagram.links:
        yield f"  {link.source} {_arrow(link)} {link.target}"
    for index, (stroke, boxes) in enumerate(_strokes(diagram, number).items()):
        yield f"  classDef s{index} {stroke}"
        yield f"  class {','.join(boxes)} s{index}"


def _subgraphs(diagram: Diagram, parent: str | None, indent: str) -> Iterator[str]:
    """The parts, in one another as they are."""
    for frame in diagram.frames:
        if frame.parent == parent:
            yield f'{indent}subgraph {frame.id}["{_escape(elide(frame.title, TITLE, _MOST))}"]'
            yield from (f"{indent}  {box}" for box in frame.boxes)
            yield from _subgraphs(diagram, frame.id, indent + "  ")
            yield f"{indent}end"


def _arrow(link: Link) -> str:
    label = elide(link.label, TITLE, _MOST)
    return _ARROWS[link.kind] + (f'|"{_escape(label)}"|' if label else "")


def _strokes(diagram: Diagram, number: dict[str, int]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for box in diagram.boxes:
        parts = []
        if len(box.models) == 1:
            parts.append(f"stroke:{COLORS[color(number[box.models[0]])]}")
        if box.output:
            parts.append("stroke-width:4px")
        elif parts:
            parts.append("stroke-width:2px")
        if box.role in ("frozen", "mixed"):
            parts.append("stroke-dasharray:6 4")
        if parts:
            found.setdefault(",".join(parts), []).append(box.id)
    return found


def _label(box: Box, number: dict[str, int]) -> str:
    turns = f"⟳ ×{box.turns}" if box.turns else ""
    extra = " ".join(filter(None, (box.badge, turns, "(output)" if box.output else "")))
    models = [f"{_SIGNS[mark(number[model])]} {model}" for model in box.models[:12]]
    if len(box.models) > 12:
        models.append(f"+{len(box.models) - 12} more")
    lines = [f"{box.title} {extra}".rstrip(), box.subtitle, "  ".join(models), box.items]
    shown = [elide(text, TITLE, _MOST, middle=not i) for i, text in enumerate(lines) if text]
    return "<br/>".join(map(_escape, shown))


def _plain(text: str) -> str:
    return "".join(c if c not in '<>"`#%;{}' else " " for c in text)


def _escape(text: str) -> str:
    """Mermaid's entities: `#` and a number, without `&`. Every sign that Mermaid or HTML reads."""
    return "".join(f"#{ord(c)};" if c in _SPECIAL else c for c in text)


_SPECIAL = frozenset("\"'`<>&#;%{}$\\")

_ARROWS: dict[LinkKind, str] = {"value": "-->", "gate": "-.->", "next": "==>", "until": "==>"}

_SHAPES: dict[Shape, tuple[str, str]] = {
    "pill": ("([", "])"),
    "box": ("(", ")"),
    "photo": ("[", "]"),
    "hexagon": ("{{", "}}"),
    "bars": ("[[", "]]"),
    "octagon": ("[/", "/]"),
    "trapezoid": ("[\\", "/]"),
}
