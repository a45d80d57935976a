"""The picture as SVG: no scripts, no references, the same bytes every time."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape

from .cards import MARK, OUTER, SHEET, Card, Text
from .layout import PAIRED_LABEL, Point
from .measure import FAMILY
from .palette import COLORS, color, mark
from .picture import Picture, Sample
from .spec import Role

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
        ".sg-link{fill:none;stroke-width:1.5}",
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
    yield f".sg-link{{stroke:{theme['dim']}}}"
    yield f".sg-halo{{stroke:{theme['paper']}}}"


def _document(picture: Picture) -> Iterator[str]:
    drawing = picture.drawing
    size = f"{_n(picture.width)} {_n(picture.height)}"
    wide, high = size.split()
    tag = sha256(repr(drawing).encode("utf-8", "replace")).hexdigest()[:8]
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sg-picture" width="{wide}" '
        f'height="{high}" viewBox="0 0 {size}" role="img" '
        f'aria-labelledby="sg-title-{tag} sg-desc-{tag}">'
    )
    yield f'<title id="sg-title-{tag}">{escape(drawing.title)}</title>'
    yield f'<desc id="sg-desc-{tag}">{escape(_description(picture))}</desc>'
    yield f"<style>{style()}</style>"
    yield f'<rect class="sg-paper" width="{wide}" height="{high}"/>'
    yield from (_text(text) for text in picture.heading)
    number = {model.name: i for i, model in enumerate(drawing.models)}
    for arrow in picture.arrows:
        yield from _arrow(arrow.points, f'data-from="{arrow.source}" data-to="{arrow.target}"')
    for x, y, card in picture.boxes:
        yield from _card(x, y, card, number)
    for arrow in picture.arrows:
        if arrow.label:
            yield from _label(arrow.label)
    yield '<g class="sg-legend">'
    yield from (part for sample in picture.samples for part in _sample(sample))
    yield from (_mark(m.x, m.y, number[m.model]) for m in picture.marks)
    yield from (_text(text) for text in picture.legend)
    yield "</g>"
    yield "</svg>"


def _description(picture: Picture) -> str:
    drawing = picture.drawing
    names = {box.id: box.title for box in drawing.boxes}
    arrows = "; ".join(f"{names[k.source]} to {names[k.target]}" for k in drawing.links)
    return " ".join(part for part in (drawing.description, drawing.note, f"{arrows}.") if part)


def _card(x: float, y: float, card: Card, number: dict[str, int]) -> Iterator[str]:
    box = card.box
    yield f'<g class="sg-node" id="sg-{box.id}" transform="translate({_n(x)} {_n(y)})">'
    about = [box.title, box.subtitle, ", ".join(box.models), box.items]
    yield f"<title>{escape(' · '.join(filter(None, about)))}</title>"
    yield from _shape(card.width, card.height, box.role, box.output, box.stacked)
    step = (card.height - 2 * _RADIUS) / max(1, len(box.models))
    for i, model in enumerate(box.models):
        yield (
            f'<rect class="sg-m{color(number[model])}" x="0" y="{_n(_RADIUS + i * step)}" '
            f'width="{_n(_STRIPE)}" height="{_n(step)}"/>'
        )
    yield from (_mark(m.x, m.y, number[m.model]) for m in card.marks)
    yield from (_text(text) for text in card.texts)
    yield "</g>"


def _shape(
    width: float, height: float, role: Role, output: bool, stacked: bool, scale: float = 1.0
) -> Iterator[str]:
    """The outline. Shapes and strokes differ, not only colours: print keeps them apart."""
    for sheet in (2, 1) if stacked else ():
        inset = sheet * SHEET * scale
        yield _rect("sg-box", inset, inset, width - 2 * inset, height, _RADIUS * scale)
    round = {"input": min(18.0, height / 2), "deterministic": 0.0}.get(role, _RADIUS * scale)
    if output:
        yield _rect(
            "sg-outer", -OUTER, -OUTER, width + 2 * OUTER, height + 2 * OUTER, round + OUTER
        )
    yield _rect(f"sg-box sg-{role}", 0, 0, width, height, round)
    if role == "deterministic":
        bar = 5.0 * scale
        path = f"M{_n(bar)} 0V{_n(height)}M{_n(width - bar)} 0V{_n(height)}"
        yield f'<path class="sg-bars" d="{path}"/>'


def _sample(sample: Sample) -> Iterator[str]:
    yield f'<g transform="translate({_n(sample.x)} {_n(sample.y - 7)})">'
    yield from _shape(28, 13, sample.role, sample.output, sample.stacked, 0.6)
    yield "</g>"


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


def _label(at: Point) -> Iterator[str]:
    wide, high = PAIRED_LABEL
    x, y = at[0] - wide / 2, at[1] - high / 2
    yield _rect("sg-paper", x, y, wide, high, 3)
    text = Text(0, y + high - 4, "1:1")
    yield _text(Text(at[0] - text.width / 2, text.y, text.text))


def _arrow(points: Sequence[Point], ends: str) -> Iterator[str]:
    """The line with a halo, so that it passes over others visibly, and its head."""
    (x, y), tip = points[-2], points[-1]
    along = _direction((x, y), tip)
    neck = tip[0] - along[0] * _HEAD[0], tip[1] - along[1] * _HEAD[0]
    out = _direction(points[1], points[0])
    under = points[0][0] + out[0] * _UNDER, points[0][1] + out[1] * _UNDER
    path = _rounded([under, *points[1:-1], (neck[0] + along[0], neck[1] + along[1])])
    yield f'<g class="sg-arrow" {ends}>'
    yield f'<path class="sg-halo" d="{path}"/>'
    yield f'<path class="sg-link" d="{path}"/>'
    side = -along[1] * _HEAD[1], along[0] * _HEAD[1]
    yield (
        f'<path class="sg-head" d="M{_n(tip[0])} {_n(tip[1])}'
        f"L{_n(neck[0] + side[0])} {_n(neck[1] + side[1])}"
        f'L{_n(neck[0] - side[0])} {_n(neck[1] - side[1])}z"/>'
    )
    yield "</g>"


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
