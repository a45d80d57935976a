"""The picture as SVG: no scripts, no references, the same bytes every time."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape

from .cards import MARK, OUTER, SHEET, SMALL, Card, Icon, Text
from .layout import Label
from .legend import SAMPLE, Sample
from .measure import FAMILY, width
from .palette import COLORS, color, mark
from .picture import Framed, Picture
from .shapes import Point, corners, left_at
from .spec import LinkKind, Role, Shape

_RADIUS = 7.0
_HEAD = (9.0, 4.0)
"""Length and half width of an arrowhead."""
_STRIPE = 5.0
_UNDER = 14.0
"""Arrows begin under their box, which covers them: round corners and sheets leave no gap."""

LIGHT = {"paper": "#ffffff", "ink": "#1b1f24", "dim": "#57606a", "soft": "#eef1f4"}
DARK = {"paper": "#0f1419", "ink": "#e6edf3", "dim": "#9da7b3", "soft": "#1d242c"}


def svg(picture: Picture) -> str:
    """The picture as one SVG document."""
    return "\n".join(_document(picture)) + "\n"


def style() -> str:
    """The style sheet. Every class begins with `sg-`: inline, it touches nothing else of a page."""
    dark = "".join(_colors(DARK))
    rules = [
        f".sg-text{{font-family:{FAMILY}}}",
        ".sg-bold{font-weight:700}",
        ".sg-box,.sg-bars,.sg-outer{stroke-width:1.5}",
        ".sg-bars,.sg-outer{fill:none}",
        ".sg-frozen{stroke-dasharray:6 4}",
        ".sg-mixed{stroke-dasharray:14 3 3 3}",
        ".sg-frame{stroke-width:1;stroke-opacity:0.5}",
        ".sg-link,.sg-line{fill:none;stroke-width:1.5}",
        ".sg-gate{stroke-dasharray:6 4}",
        ".sg-next,.sg-until{stroke-dasharray:1.5 3.5}",
        ".sg-halo{fill:none;stroke-width:6}",
        *(f".sg-m{i}{{fill:{c}}}" for i, c in enumerate(COLORS)),
        *_colors(LIGHT),
        f"@media screen and (prefers-color-scheme:dark){{{dark}}}",
    ]
    return "".join(rules)


def _colors(theme: dict[str, str]) -> Iterator[str]:
    yield f".sg-paper{{fill:{theme['paper']}}}"
    yield f".sg-ink{{fill:{theme['ink']}}}"
    yield f".sg-dim,.sg-head{{fill:{theme['dim']}}}"
    yield f".sg-box,.sg-bars,.sg-outer{{stroke:{theme['ink']}}}"
    yield f".sg-box{{fill:{theme['paper']}}}"
    yield f".sg-input{{fill:{theme['soft']}}}"
    yield f".sg-link,.sg-line,.sg-open{{stroke:{theme['dim']}}}"
    yield f".sg-open{{fill:{theme['paper']}}}"
    yield f".sg-halo{{stroke:{theme['paper']}}}"


def _document(picture: Picture) -> Iterator[str]:
    diagram = picture.diagram
    size = f"{_n(picture.width)} {_n(picture.height)}"
    wide, high = size.split()
    tag = sha256(repr(diagram).encode("utf-8", "replace")).hexdigest()[:8]
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg-picture" width="{wide}" '
        f'height="{high}" viewBox="0 0 {size}" role="img" '
        f'aria-labelledby="sg-title-{tag} sg-desc-{tag}">'
    )
    yield f'<title id="sg-title-{tag}">{escape(diagram.title)}</title>'
    yield f'<desc id="sg-desc-{tag}">{escape(_description(picture))}</desc>'
    yield f"<style>{style()}</style>"
    yield f'<rect class="sg-paper" width="{wide}" height="{high}"/>'
    yield from (_text(text) for text in picture.heading)
    number = {model.name: i for i, model in enumerate(diagram.models)}
    yield from (part for framed in picture.frames for part in _frame(framed))
    for arrow in picture.arrows:
        link = arrow.link
        ends = f'data-from="{link.source}" data-to="{link.target}"'
        yield from _arrow(arrow.points, link.kind, ends)
    for x, y, card in picture.boxes:
        yield from _card(x, y, card, number)
    for arrow in picture.arrows:
        if arrow.label:
            yield from _label(arrow.label)
    yield '<g class="sg-legend">'
    key = picture.legend
    yield from (part for sample in key.samples for part in _sample(sample))
    yield from (part for arrow in key.arrows for part in _arrow(arrow.points, arrow.kind))
    yield from (part for icon in key.icons for part in _icon(icon))
    yield from (_mark(m.x, m.y, number[m.model]) for m in key.marks)
    yield from (_text(text) for text in key.texts)
    yield "</g>"
    yield "</svg>"


def _description(picture: Picture) -> str:
    diagram = picture.diagram
    names = {box.id: box.full_title for box in diagram.boxes}
    arrows = "; ".join(
        f"{names[k.source]} to {names[k.target]}" + (f" ({k.label})" if k.label else "")
        for k in diagram.links
    )
    return " ".join(part for part in (diagram.description, diagram.note, f"{arrows}.") if part)


def _frame(framed: Framed) -> Iterator[str]:
    """A part: what is in it stands in a frame with its name."""
    frame = framed.frame
    yield f'<g class="sg-node" id="sg-{frame.id}">'
    yield f"<title>{escape(frame.title)}</title>"
    place = framed.x, framed.y, framed.width, framed.height
    yield _rect("sg-box sg-frame", *place, _RADIUS)
    yield _text(Text(framed.x + 10, framed.y + 16, frame.title, SMALL, True, "dim"))
    yield "</g>"


def _card(x: float, y: float, card: Card, number: dict[str, int]) -> Iterator[str]:
    box = card.box
    yield f'<g class="sg-node" id="sg-{box.id}" transform="translate({_n(x)} {_n(y)})">'
    about = [box.full_title, box.subtitle, ", ".join(box.models), box.items]
    yield f"<title>{escape(' · '.join(filter(None, about)))}</title>"
    yield from _outline(card.width, card.height, box.shape, box.role, box.output, box.stacked)
    yield from _stripes(card, [color(number[model]) for model in box.models])
    yield from (_mark(m.x, m.y, number[m.model]) for m in card.marks)
    yield from (part for icon in card.icons for part in _icon(icon))
    yield from (_text(text) for text in card.texts)
    yield "</g>"


def _stripes(card: Card, colors: Sequence[int]) -> Iterator[str]:
    """The models' colours along the left side."""
    shape, wide, high = card.box.shape, card.width, card.height
    points = corners(shape, wide, high)
    first, last = (0.0, high) if points else (_RADIUS, high - _RADIUS)
    step = (last - first) / max(1, len(colors))
    for i, tint in enumerate(colors):
        top, low = first + i * step, first + (i + 1) * step
        turns = [y for _, y in points or () if top < y < low]
        side = [(left_at(shape, wide, high, y), y) for y in (top, *sorted(set(turns)), low)]
        inner = [(x + _STRIPE, y) for x, y in reversed(side)]
        yield f'<path class="sg-m{tint}" d="{_closed([*side, *inner])}"/>'


def _outline(
    wide: float,
    high: float,
    shape: Shape,
    role: Role,
    output: bool,
    stacked: bool,
    scale: float = 1.0,
) -> Iterator[str]:
    """The outline. Shapes and strokes differ, not only colours: print keeps them apart."""
    for sheet in (2, 1) if stacked else ():
        inset = sheet * SHEET * scale
        yield _form("sg-box", shape, inset, inset, wide - 2 * inset, high, scale)
    if output:
        yield _form("sg-outer", shape, -OUTER, -OUTER, wide + 2 * OUTER, high + 2 * OUTER, scale)
    yield _form(f"sg-box sg-{role}", shape, 0, 0, wide, high, scale)
    if shape == "bars":
        bar = 5.0 * scale
        path = f"M{_n(bar)} 0V{_n(high)}M{_n(wide - bar)} 0V{_n(high)}"
        yield f'<path class="sg-bars" d="{path}"/>'


def _form(
    kind: str, shape: Shape, x: float, y: float, wide: float, high: float, scale: float
) -> str:
    points = corners(shape, wide, high, scale)
    if points is not None:
        moved = [(x + px, y + py) for px, py in points]
        return f'<path class="{kind}" d="{_closed(moved)}"/>'
    grown = max(0.0, -x)
    round = {"pill": min(18.0, high / 2 - grown), "bars": 0.0}.get(shape, _RADIUS * scale)
    return _rect(kind, x, y, wide, high, round + grown)


def _closed(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + "z"


def _sample(sample: Sample) -> Iterator[str]:
    wide, high = SAMPLE
    yield f'<g transform="translate({_n(sample.x)} {_n(sample.y - high / 2 - 0.5)})">'
    yield from _outline(wide, high, sample.shape, sample.role, sample.output, sample.stacked, 0.6)
    if sample.shape == "photo":
        yield from _icon(Icon(wide / 2 - 6.5, high - 2.5, "image"))
    yield "</g>"


def _icon(icon: Icon) -> Iterator[str]:
    """A picture of a hill, or an arrow that comes round."""
    if icon.what == "image":
        x, y = icon.x, icon.y - 8.5
        yield _rect("sg-line", x, y, 12.5, 9.5, 1)
        hill = f"M{_n(x + 1.5)} {_n(y + 8)}l3.5 -4.5l2.5 3l1.5 -1.5l2.5 3"
        yield f'<path class="sg-line" d="{hill}"/>'
        return
    x, y = icon.x + 6, icon.y - 4.2
    round = f"M{_n(x + 4.5)} {_n(y - 1.5)}A4.7 4.7 0 1 0 {_n(x + 4.2)} {_n(y + 2.2)}"
    yield f'<path class="sg-line" d="{round}"/>'
    yield f'<path class="sg-head" d="M{_n(x + 6.3)} {_n(y - 5.5)}v5.5h-5.5z"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    return (
        f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
        f'height="{_n(height)}" rx="{_n(radius)}"/>'
    )


def _text(text: Text) -> str:
    bold = " sg-bold" if text.bold else ""
    return (
        f'<text class="sg-text sg-{text.style}{bold}" x="{_n(text.x)}" y="{_n(text.y)}" '
        f'font-size="{_n(text.size)}" textLength="{_n(text.width)}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text.text)}</text>'
    )


def _mark(x: float, y: float, number: int) -> str:
    r = MARK / 2
    kind = f'class="sg-m{color(number)}"'
    paths = {
        "square": f"M{_n(x - r)} {_n(y - r)}h{_n(MARK)}v{_n(MARK)}h{_n(-MARK)}z",
        "diamond": f"M{_n(x)} {_n(y - r - 1)}L{_n(x + r + 1)} {_n(y)}L{_n(x)} {_n(y + r + 1)}"
        f"L{_n(x - r - 1)} {_n(y)}z",
        "triangle": f"M{_n(x)} {_n(y - r)}L{_n(x + r)} {_n(y + r)}H{_n(x - r)}z",
    }
    shape = mark(number)
    if shape == "circle":
        return f'<circle {kind} cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}"/>'
    return f'<path {kind} d="{paths[shape]}"/>'


def _label(label: Label) -> Iterator[str]:
    x, y = label.x - label.width / 2, label.y - label.height / 2
    yield _rect("sg-paper", x, y, label.width, label.height, 3)
    left = label.x - width(label.text, SMALL) / 2
    yield _text(Text(left, y + label.height - 4, label.text))


def _arrow(points: Sequence[Point], kind: LinkKind, ends: str = "") -> Iterator[str]:
    """The line with a halo, so that it passes over others visibly, and its head."""
    (x, y), tip = points[-2], points[-1]
    along = _direction((x, y), tip)
    neck = tip[0] - along[0] * _HEAD[0], tip[1] - along[1] * _HEAD[0]
    out = _direction(points[1], points[0])
    under = _UNDER if ends and kind == "value" else 0.0
    start = points[0][0] + out[0] * under, points[0][1] + out[1] * under
    path = _rounded([start, *points[1:-1], (neck[0] + along[0], neck[1] + along[1])])
    yield f'<g class="sg-arrow" {ends}>' if ends else "<g>"
    yield f'<path class="sg-halo" d="{path}"/>'
    yield f'<path class="sg-link sg-{kind}" d="{path}"/>'
    side = -along[1] * _HEAD[1], along[0] * _HEAD[1]
    head = [(neck[0] + side[0], neck[1] + side[1]), (neck[0] - side[0], neck[1] - side[1])]
    yield f'<path class="sg-head" d="{_closed([tip, *head])}"/>'
    if kind == "gate":
        yield f'<path class="sg-open" d="{_closed(_diamond(points[0], out))}"/>'
    yield "</g>"


def _diamond(start: Point, out: Point) -> list[Point]:
    """The sign of a condition, on the line where it begins."""
    (x, y), (dx, dy) = start, (-out[0], -out[1])
    return [
        (x, y),
        (x + 5 * dx - 4 * dy, y + 5 * dy + 4 * dx),
        (x + 10 * dx, y + 10 * dy),
        (x + 5 * dx + 4 * dy, y + 5 * dy - 4 * dx),
    ]


def _direction(start: Point, end: Point) -> Point:
    x, y = end[0] - start[0], end[1] - start[1]
    length = max((x * x + y * y) ** 0.5, 1e-6)
    return x / length, y / length


def _rounded(points: Sequence[Point]) -> str:
    """A path along right angles, with round corners."""
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _toward(corner, before), _toward(corner, after)
        path += f"L{_n(start[0])} {_n(start[1])}"
        path += f"Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}"
    return path + f"L{_n(points[-1][0])} {_n(points[-1][1])}"


def _toward(corner: Point, other: Point) -> Point:
    x, y = _direction(corner, other)
    length = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    step = min(_RADIUS, length / 2)
    return corner[0] + x * step, corner[1] + y * step


def _n(value: float) -> str:
    """A number, to a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
