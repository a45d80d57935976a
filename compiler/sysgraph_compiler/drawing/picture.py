"""The drawing with a place for everything: heading, boxes, arrows and legend on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass

from .cards import MARK, MARK_GAP, SMALL, Card, Text, card
from .layout import Point, place
from .measure import elide, width, wrap
from .spec import Drawing, Model, Role

_MARGIN = 24.0
_LEAST = 480.0
"""Narrowest heading and legend, px."""
_ROW = 20.0
_GAP = 22.0
_SAMPLE = 30.0
"""Width of a legend's sample box."""
_MODELS = 32
"""Models in the legend before the rest is counted; the boxes name all."""


@dataclass(frozen=True)
class Arrow:
    """An arrow from border to border, and where its label stands."""

    source: str
    target: str
    points: tuple[Point, ...]
    label: Point | None


@dataclass(frozen=True)
class Sample:
    """A legend's little box, with its left edge and vertical centre."""

    x: float
    y: float
    role: Role
    output: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class LegendMark:
    """A model's mark in the legend, centred at x, y."""

    x: float
    y: float
    model: str


@dataclass(frozen=True)
class Picture:
    """Everything with its place, px from the top left."""

    drawing: Drawing
    width: float
    height: float
    heading: tuple[Text, ...]
    boxes: tuple[tuple[float, float, Card], ...]
    arrows: tuple[Arrow, ...]
    samples: tuple[Sample, ...]
    marks: tuple[LegendMark, ...]
    legend: tuple[Text, ...]


def picture(drawing: Drawing) -> Picture:
    """Lays the drawing out."""
    cards = [card(box) for box in drawing.boxes]
    placed = place(cards, drawing.links)
    inner = max(placed.width, _LEAST)
    heading = _heading(drawing, inner)
    left = _MARGIN + (inner - placed.width) / 2
    top = heading[-1].y + 24
    arrows = zip(drawing.links, placed.routes, placed.labels, strict=True)
    key = _Legend(inner, top + placed.height + 34)
    key.roles(drawing)
    key.models(drawing.models)
    return Picture(
        drawing=drawing,
        width=inner + 2 * _MARGIN,
        height=key.y + _MARGIN - 6,
        heading=heading,
        boxes=tuple(
            (left + x, top + y, card) for (x, y), card in zip(placed.corners, cards, strict=True)
        ),
        arrows=tuple(
            Arrow(
                link.source,
                link.target,
                tuple((left + x, top + y) for x, y in route),
                label and (left + label[0], top + label[1]),
            )
            for link, route, label in arrows
        ),
        samples=tuple(key.samples),
        marks=tuple(key.marks),
        legend=tuple(key.texts),
    )


def _heading(drawing: Drawing, inner: float) -> tuple[Text, ...]:
    y = _MARGIN + 14
    lines = [Text(_MARGIN, y, elide(drawing.title, 18, inner, bold=True), 18, True, "ink")]
    for paragraph in filter(None, (drawing.description, drawing.note)):
        words = [elide(word, SMALL, inner) for word in paragraph.split()[:400]]
        rows = wrap(words, width(" ", SMALL), inner, [width(word, SMALL) for word in words])
        shown = [" ".join(words[i] for i in row) for row in rows]
        if len(shown) > 4:
            shown = [*shown[:3], elide(shown[3] + " …", SMALL, inner)]
        for text in shown:
            y += 18
            lines.append(Text(_MARGIN, y, text))
    return tuple(lines)


class _Legend:
    def __init__(self, inner: float, y: float) -> None:
        self.inner, self.y = inner, y
        self.samples: list[Sample] = []
        self.marks: list[LegendMark] = []
        self.texts: list[Text] = []

    def roles(self, drawing: Drawing) -> None:
        """What borders, badges and labels mean, for those that occur."""
        boxes = drawing.boxes
        roles = [role for role in _ROLES if any(box.role == role for box in boxes)]
        entries = [(_ROLES[role], role, False, False) for role in roles]
        plain: Role = next((role for role in roles if role != "input"), "input")
        if any(box.output for box in boxes):
            entries.append(("output", plain, True, False))
        if any(box.stacked for box in boxes):
            entries.append(("several (×N)", plain, False, True))
        lengths = [_SAMPLE + MARK_GAP + 3 + width(text, SMALL) for text, *_ in entries]
        for row in wrap([text for text, *_ in entries], _GAP, self.inner, lengths):
            x = _MARGIN
            for index in row:
                text, role, output, stacked = entries[index]
                self.samples.append(Sample(x, self.y - 4, role, output, stacked))
                self.texts.append(Text(x + _SAMPLE + MARK_GAP + 3, self.y, text))
                x += lengths[index] + _GAP
            self.y += _ROW + 2
        if any(link.paired for link in drawing.links):
            self.texts.append(
                Text(_MARGIN, self.y, "1:1   copy by copy; other arrows carry all copies to each")
            )
            self.y += _ROW

    def models(self, models: Sequence[Model]) -> None:
        """The models, in columns that fit."""
        names = [elide(model.name, SMALL, 150, bold=True, middle=True) for model in models]
        room = self.inner - MARK - MARK_GAP - 8
        whats = [
            elide(model.what, SMALL, room - width(name, SMALL, True))
            for model, name in zip(models, names, strict=True)
        ]
        lengths = [
            MARK + MARK_GAP + width(name, SMALL, True) + 8 + width(what, SMALL)
            for name, what in zip(names, whats, strict=True)
        ][:_MODELS]
        for row in wrap(names[:_MODELS], _GAP, self.inner, lengths):
            x = _MARGIN
            for index in row:
                self.marks.append(LegendMark(x + MARK / 2, self.y - 4, models[index].name))
                at = x + MARK + MARK_GAP
                self.texts.append(Text(at, self.y, names[index], bold=True, style="ink"))
                at += width(names[index], SMALL, True) + 8
                self.texts.append(Text(at, self.y, whats[index]))
                x += lengths[index] + _GAP
            self.y += _ROW
        if len(models) > _MODELS:
            self.texts.append(Text(_MARGIN, self.y, f"and {len(models) - _MODELS} more models"))
            self.y += _ROW


_ROLES: dict[Role, str] = {
    "input": "input",
    "trained": "trained",
    "frozen": "frozen",
    "mixed": "mixed",
    "deterministic": "deterministic",
}
