"""The diagram with a place for everything: heading, boxes, arrows and legend on one sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .cards import SMALL, Card, Text, card
from .layout import Label, Placed, place
from .legend import Legend, legend
from .measure import elide, width, wrap
from .shapes import Point, touch
from .spec import Diagram, Frame, Link

_MARGIN = 24.0
_LEAST = 480.0
"""Narrowest heading and legend, px."""


@dataclass(frozen=True)
class Arrow:
    """An arrow from border to border, and where its label stands."""

    link: Link
    points: tuple[Point, ...]
    label: Label | None


@dataclass(frozen=True)
class Framed:
    """A frame with its place."""

    frame: Frame
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """Everything with its place, px from the top left."""

    diagram: Diagram
    width: float
    height: float
    heading: tuple[Text, ...]
    boxes: tuple[tuple[float, float, Card], ...]
    frames: tuple[Framed, ...]
    arrows: tuple[Arrow, ...]
    legend: Legend


def picture(diagram: Diagram) -> Picture:
    """Lays the diagram out."""
    cards = [card(box) for box in diagram.boxes]
    placed = place(cards, diagram.links, diagram.frames)
    inner = max(placed.width, _LEAST)
    heading = _heading(diagram, inner)
    left = _MARGIN + (inner - placed.width) / 2
    top = heading[-1].y + 24
    boxes = tuple(
        (left + x, top + y, card) for (x, y), card in zip(placed.corners, cards, strict=True)
    )
    key = legend(diagram, _MARGIN, top + placed.height + 34, inner)
    return Picture(
        diagram=diagram,
        width=inner + 2 * _MARGIN,
        height=key.bottom + _MARGIN - 6,
        heading=heading,
        boxes=boxes,
        frames=tuple(
            Framed(frame, left + x, top + y, wide, high)
            for frame, (x, y, wide, high) in zip(diagram.frames, placed.frames, strict=True)
        ),
        arrows=tuple(_arrows(diagram, placed, boxes, (left, top))),
        legend=key,
    )


def _arrows(
    diagram: Diagram, placed: Placed, boxes: Sequence[tuple[float, float, Card]], origin: Point
) -> Iterator[Arrow]:
    """The arrows, each to the outlines of its boxes."""
    left, top = origin
    at = {card.box.id: (x, y, card) for x, y, card in boxes}
    for link, route, label in zip(diagram.links, placed.routes, placed.labels, strict=True):
        points = [(left + x, top + y) for x, y in route]
        points[0] = _touch(at[link.source], points[0])
        points[-1] = _touch(at[link.target], points[-1])
        moved = label and replace(label, x=left + label.x, y=top + label.y)
        yield Arrow(link, tuple(points), moved)


def _touch(box: tuple[float, float, Card], point: Point) -> Point:
    x, y, card = box
    left, top = x - card.around, y - card.around
    wide, high = card.width + 2 * card.around, card.height + 2 * card.around
    found = touch(card.box.shape, wide, high, (point[0] - left, point[1] - top))
    return left + found[0], top + found[1]


def _heading(diagram: Diagram, inner: float) -> tuple[Text, ...]:
    y = _MARGIN + 14
    lines = [Text(_MARGIN, y, elide(diagram.title, 18, inner, bold=True), 18, True, "ink")]
    for paragraph in filter(None, (diagram.description, diagram.note)):
        words = [elide(word, SMALL, inner) for word in paragraph.split()[:400]]
        rows = wrap(words, width(" ", SMALL), inner, [width(word, SMALL) for word in words])
        shown = [" ".join(words[i] for i in row) for row in rows]
        if len(shown) > 4:
            shown = [*shown[:3], elide(shown[3] + " …", SMALL, inner)]
        for text in shown:
            y += 18
            lines.append(Text(_MARGIN, y, text))
    return tuple(lines)
