"""What the outlines, marks, arrows and badges of a picture mean: those that occur in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .cards import ICON, MARK, MARK_GAP, SMALL, Icon, Text
from .measure import elide, width, wrap
from .shapes import Point
from .spec import BACK, PAIRED, Diagram, LinkKind, Model, Role, Shape

_ROW = 20.0
_GAP = 22.0
SAMPLE = (28.0, 13.0)
"""Width and height of a little box or arrow, px."""
_ROOM = 38.0
"""From a sample's left end to its text."""
_MODELS = 32
"""Models in the legend before the rest is counted; the boxes name all."""


@dataclass(frozen=True)
class Sample:
    """A little box, with its left edge and vertical centre."""

    x: float
    y: float
    shape: Shape
    role: Role
    output: bool = False
    stacked: bool = False


@dataclass(frozen=True)
class SampleArrow:
    """A little arrow, from its left end at x, y."""

    x: float
    y: float
    kind: LinkKind

    @property
    def points(self) -> tuple[Point, Point]:
        """Its ends."""
        return (self.x, self.y), (self.x + SAMPLE[0], self.y)


@dataclass(frozen=True)
class LegendMark:
    """A model's mark, centred at x, y."""

    x: float
    y: float
    model: str


@dataclass(frozen=True)
class Legend:
    """Everything with its place; it ends at `bottom`."""

    samples: tuple[Sample, ...]
    arrows: tuple[SampleArrow, ...]
    icons: tuple[Icon, ...]
    marks: tuple[LegendMark, ...]
    texts: tuple[Text, ...]
    bottom: float


def legend(diagram: Diagram, left: float, top: float, inner: float) -> Legend:
    """The legend of a diagram, at most `inner` wide."""
    page = _Page(left, top, inner)
    page.signs(diagram)
    page.models(diagram.models)
    return Legend(
        tuple(page.samples),
        tuple(page.arrows),
        tuple(page.icons),
        tuple(page.marks),
        tuple(page.texts),
        page.y,
    )


@dataclass(frozen=True)
class _Sign:
    text: str
    shape: Shape = "box"
    role: Role = "trained"
    output: bool = False
    stacked: bool = False
    arrow: LinkKind | None = None
    icon: bool = False


class _Page:
    def __init__(self, left: float, y: float, inner: float) -> None:
        self.left, self.y, self.inner = left, y, inner
        self.samples: list[Sample] = []
        self.arrows: list[SampleArrow] = []
        self.icons: list[Icon] = []
        self.marks: list[LegendMark] = []
        self.texts: list[Text] = []

    def signs(self, diagram: Diagram) -> None:
        """Little boxes, arrows and badges, each with what it means."""
        signs = list(_signs(diagram))
        rooms = [ICON if sign.icon else _ROOM for sign in signs]
        labels = [elide(sign.text, SMALL, self.inner - _ROOM) for sign in signs]
        lengths = [room + width(label, SMALL) for room, label in zip(rooms, labels, strict=True)]
        for row in wrap(labels, _GAP, self.inner, lengths):
            x = self.left
            for index in row:
                self._sign(signs[index], x)
                self.texts.append(Text(x + rooms[index], self.y, labels[index]))
                x += lengths[index] + _GAP
            self.y += _ROW + 2
        if any(link.label == PAIRED for link in diagram.links):
            said = f"{PAIRED}   copy by copy; other arrows carry all copies to each"
            self.texts.append(Text(self.left, self.y, said))
            self.y += _ROW

    def _sign(self, sign: _Sign, x: float) -> None:
        middle = self.y - 4
        if sign.icon:
            self.icons.append(Icon(x, self.y, "turns"))
        elif sign.arrow:
            self.arrows.append(SampleArrow(x, middle, sign.arrow))
        else:
            sample = Sample(x, middle, sign.shape, sign.role, sign.output, sign.stacked)
            self.samples.append(sample)

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
            x = self.left
            for index in row:
                self.marks.append(LegendMark(x + MARK / 2, self.y - 4, models[index].name))
                at = x + MARK + MARK_GAP
                self.texts.append(Text(at, self.y, names[index], bold=True, style="ink"))
                at += width(names[index], SMALL, True) + 8
                self.texts.append(Text(at, self.y, whats[index]))
                x += lengths[index] + _GAP
            self.y += _ROW
        if len(models) > _MODELS:
            self.texts.append(Text(self.left, self.y, f"and {len(models) - _MODELS} more models"))
            self.y += _ROW


def _signs(diagram: Diagram) -> Iterator[_Sign]:
    """Strokes say how a node trains, outlines what it is."""
    boxes = diagram.boxes
    shapes = {box.shape for box in boxes}
    if "pill" in shapes:
        yield _Sign("input", "pill", "input")
    roles = {box.role for box in boxes}
    yield from (_Sign(role, role=role) for role in _STROKES if role in roles)
    for shape, said in _OUTLINES.items():
        if shape in shapes:
            yield _Sign(said, shape)
    if any(box.output for box in boxes):
        yield _Sign("output", output=True)
    if any(box.stacked for box in boxes):
        yield _Sign("several (×N)", stacked=True)
    kinds = {link.kind for link in diagram.links}
    if "gate" in kinds:
        yield _Sign("runs only where the choice is this", arrow="gate")
    if kinds & BACK:
        yield _Sign("into the next turn of its loop", arrow="next")
    if any(box.turns for box in boxes):
        yield _Sign("turns of a loop (×N)", icon=True)


_STROKES: tuple[Role, ...] = ("trained", "frozen", "mixed")
_OUTLINES: dict[Shape, str] = {
    "hexagon": "choice",
    "photo": "image, with a bound for its term",
    "bars": "parser (deterministic)",
    "octagon": "tool (deterministic)",
    "trapezoid": "the branch that ran (deterministic)",
}
