"""Line charts as SVG: mean lines with intervals, told apart by colour, dash and mark.

    svg = line_chart([Series("joint", steps, means, lows, highs)], title="...", ...)
    sysgraph_compiler.drawing.raster.png(svg)    # bytes, with the package's `draw` extra

Equal arguments give equal bytes. The background is light, for paper as for screens; a page that
shows a chart inline may give its classes (`sc-ink`, `sc-dim`, `sc-grid`, `sc-paper`) other colours.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from sysgraph_compiler.drawing.measure import FAMILY, elide, width, wrap
from sysgraph_compiler.drawing.palette import COLORS, MARKS

_WIDTH, _HEIGHT = 760.0, 460.0
_LEFT, _RIGHT, _BOTTOM = 74.0, 22.0, 56.0
_TITLE, _TEXT, _TICK = 16.0, 13.0, 12.0
_INK, _DIM, _GRID, _PAPER = "#1b1f24", "#57606a", "#e3e7eb", "#ffffff"
_DASHES = ("", "8 4", "2 4", "10 4 2 4")
_MARK = 4.0
_MOST_MARKS = 16
"""A line with more points has a mark at every second, third, ... of them."""
_SAMPLE, _GAP = 34.0, 22.0
"""The line before a name in the legend, and the space after the name."""


@dataclass(frozen=True)
class Series:
    """One line: y over x, and where `low` and `high` are given the band between them.

    A point whose y is not finite interrupts the line, an end of the band that is not, the band.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"series {self.name!r}: a band needs both `low` and `high`")
        lengths = {len(v) for v in (self.x, self.y, self.low, self.high) if v is not None}
        if len(lengths) > 1:
            raise ValueError(f"series {self.name!r}: x, y, low and high differ in length")
        if not all(map(math.isfinite, self.x)):
            raise ValueError(f"series {self.name!r}: every x must be finite")


@dataclass(frozen=True)
class Mark:
    """A place on the x axis, with a few words: what happened there."""

    x: float
    label: str


def thinned(one: Series, most: int = 400) -> Series:
    """The series with at most about `most` points: of each stretch, the lowest and the highest.

    Gaps stay where they are, a band with its points.
    """
    count = len(one.x)
    if count <= most:
        return one
    size = math.ceil(2 * count / most)
    keep: set[int] = {0, count - 1}
    for start in range(0, count, size):
        stretch = range(start, min(count, start + size))
        there = [i for i in stretch if math.isfinite(one.y[i])]
        keep.update(
            [min(there, key=one.y.__getitem__), max(there, key=one.y.__getitem__)]
            if there
            else [start]
        )
        keep.update([i for i in stretch if not math.isfinite(one.y[i])][:1])
    order = sorted(keep)

    def of(values: Sequence[float] | None) -> list[float] | None:
        return None if values is None else [values[i] for i in order]

    return Series(one.name, of(one.x) or [], of(one.y) or [], of(one.low), of(one.high))


@dataclass(frozen=True)
class _Axis:
    """Maps values from `low`..`high` to pixels from `start` to `end`."""

    ticks: tuple[float, ...]
    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    marks: Sequence[Mark] = (),
) -> str:
    """The chart as one SVG document.

    Args:
        marks: places to point out, within the series' x.
        log_x: a logarithmic x axis, ticked at the points' own x where these are few.

    Raises:
        ValueError: no series has a finite point, or `log_x` and some x is not positive.
    """
    points = [p for one in series for p in zip(one.x, one.y, strict=True) if math.isfinite(p[1])]
    if not points:
        raise ValueError(f"chart {title!r}: no series has a finite point")
    if log_x and min(x for one in series for x in one.x) <= 0:
        raise ValueError(f"chart {title!r}: a logarithmic axis needs every x to be positive")
    rows = _legend_rows(series)
    top = 52 + 22 * len(rows)
    x = _x_axis([x for x, _ in points], log_x)
    y = _y_axis([y for _, y in points] + [v for one in series for v in _ends(one)], top)
    drawn = [
        *_header(title),
        *_legend(series, rows),
        *_grid(x, y, x_label, y_label),
        *(part for one in marks for part in _pointed_out(one, x, y)),
        *(part for i, one in enumerate(series) for part in _band(i, one, x, y)),
        *(part for i, one in enumerate(series) for part in _line(i, one, x, y)),
    ]
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _ends(one: Series) -> list[float]:
    return [v for v in (*(one.low or ()), *(one.high or ())) if math.isfinite(v)]


# ---- axes


def _x_axis(values: Sequence[float], log: bool) -> _Axis:
    low, high = min(values), max(values)
    start, end = _LEFT, _WIDTH - _RIGHT
    if not log:
        ticks = _ticks(low, high)
        within = tuple(t for t in ticks if low <= t <= high) if low < high else ticks
        return _Axis(within, min(low, within[0]), max(high, within[-1]), start, end)
    own = tuple(sorted(set(values)))
    powers = tuple(10.0**e for e in range(math.ceil(math.log10(low)), _above(low, high)))
    ticks = own if len(own) <= 12 or not powers else powers
    margin = 1.0 if high > low else 2.0
    return _Axis(ticks, low / margin, high * margin, start, end, log=True)


def _above(low: float, high: float) -> int:
    """One more than the last power of ten up to `high`, in exponents."""
    return math.floor(math.log10(max(low, high))) + 1


def _y_axis(values: Sequence[float], top: float) -> _Axis:
    ticks = _ticks(min(values), max(values))
    return _Axis(ticks, ticks[0], ticks[-1], _HEIGHT - _BOTTOM, top)


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers from at most `low` to at least `high`, 4 to 8 of them."""
    if high <= low:
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(i * step for i in range(first, last + 1))


def _labels(axis: _Axis) -> list[str]:
    """The ticks' numbers, all to the digits that tell them apart."""
    if axis.log:
        return [f"{tick:g}" for tick in axis.ticks]
    step = axis.ticks[1] - axis.ticks[0] if len(axis.ticks) > 1 else abs(axis.ticks[0]) or 1.0
    size = max(map(abs, axis.ticks))
    if size >= 1e6 or step < 1e-4:
        digits = math.ceil(math.log10(size / step)) + 2
        texts = [f"{tick:.{digits}g}" for tick in axis.ticks]
    else:
        digits = next(d for d in range(7) if abs(round(step, d) - step) < step * 1e-6)
        texts = [f"{tick:.{digits}f}" for tick in axis.ticks]
    return [text.replace("-", "−") for text in texts]


# ---- drawing


def _header(title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(_WIDTH)}" height="{_n(_HEIGHT)}" '
        f'viewBox="0 0 {_n(_WIDTH)} {_n(_HEIGHT)}" role="img" font-family="{escape(FAMILY)}">'
    )
    yield f"<title>{escape(title)}</title>"
    size = f'width="{_n(_WIDTH)}" height="{_n(_HEIGHT)}"'
    yield f'<rect class="sc-paper" {size} fill="{_PAPER}"/>'
    shown = elide(title, _TITLE, _WIDTH - 2 * _RIGHT, bold=True)
    yield _text(_RIGHT, 28, shown, _TITLE, more=' font-weight="700"')


def _names(series: Sequence[Series]) -> list[str]:
    return [elide(one.name, _TEXT, _WIDTH - 2 * _RIGHT - _SAMPLE - 8) for one in series]


def _legend_rows(series: Sequence[Series]) -> list[list[int]]:
    names = _names(series)
    lengths = [_SAMPLE + 8 + width(name, _TEXT) for name in names]
    return wrap(names, _GAP, _WIDTH - 2 * _RIGHT, lengths)


def _legend(series: Sequence[Series], rows: list[list[int]]) -> Iterator[str]:
    names = _names(series)
    yield '<g class="legend">'
    for r, row in enumerate(rows):
        left, base = _RIGHT, 52 + 22 * r
        for i in row:
            yield _path(i, f"M{_n(left)} {_n(base - 4)}h{_n(_SAMPLE)}")
            yield _mark(i, left + _SAMPLE / 2, base - 4)
            yield _text(left + _SAMPLE + 8, base, names[i], _TEXT)
            left += _SAMPLE + 8 + width(names[i], _TEXT) + _GAP
    yield "</g>"


def _grid(x: _Axis, y: _Axis, x_label: str, y_label: str) -> Iterator[str]:
    middle = (y.start + y.end) / 2
    for tick, label in zip(y.ticks, _labels(y), strict=True):
        line = f"M{_n(x.start)} {_n(y(tick))}H{_n(x.end)}"
        yield f'<path class="sc-grid" d="{line}" stroke="{_GRID}"/>'
        yield _text(x.start - 8, y(tick) + 4, label, _TICK, "end", _DIM)
    edge = -math.inf
    for tick, label in zip(x.ticks, _labels(x), strict=True):
        at, half = x(tick), width(label, _TICK) / 2
        yield f'<path d="M{_n(at)} {_n(y.start)}v5" stroke="{_DIM}"/>'
        if at - half > edge:  # a number that would touch the one before is left out
            yield _text(at, y.start + 19, label, _TICK, "middle", _DIM)
            edge = at + half + 6
    yield f'<path d="M{_n(x.start)} {_n(y.start)}H{_n(x.end)}" stroke="{_DIM}"/>'
    center = (x.start + x.end) / 2
    fitting = elide(x_label, _TEXT, x.end - x.start)
    yield _text(center, _HEIGHT - 12, fitting, _TEXT, "middle")
    turned = f' transform="rotate(-90 18 {_n(middle)})"'
    fitting = elide(y_label, _TEXT, y.start - y.end)
    yield _text(18, middle, fitting, _TEXT, "middle", more=turned)


def _pointed_out(one: Mark, x: _Axis, y: _Axis) -> Iterator[str]:
    at = x(one.x)
    line = f"M{_n(at)} {_n(y.start)}V{_n(y.end)}"
    yield f'<path class="sc-mark" d="{line}" stroke="{_DIM}" stroke-dasharray="3 3"/>'
    right = at > (x.start + x.end) / 2
    place = at - 5 if right else at + 5
    yield _text(place, y.end + 12, one.label, _TICK, "end" if right else "start", _DIM)


def _band(index: int, one: Series, x: _Axis, y: _Axis) -> Iterator[str]:
    rows = list(zip(one.x, one.low or (), one.high or (), strict=False))
    for run in _runs(rows, lambda row: math.isfinite(row[1]) and math.isfinite(row[2])):
        there = [f"{_n(x(at))} {_n(y(high))}" for at, _, high in run]
        back = [f"{_n(x(at))} {_n(y(low))}" for at, low, _ in reversed(run)]
        corners = "L".join(there + back)
        ink = f'fill="{_color(index)}" stroke="{_color(index)}"'
        faint = 'fill-opacity="0.1" stroke-opacity="0.45"'
        yield f'<path class="band" d="M{corners}z" {ink} {faint}/>'


def _line(index: int, one: Series, x: _Axis, y: _Axis) -> Iterator[str]:
    rows = list(zip(one.x, one.y, strict=True))
    every = math.ceil(len(rows) / _MOST_MARKS)
    yield f'<g class="series"><title>{escape(one.name)}</title>'
    for run in _runs(rows, lambda row: math.isfinite(row[1])):
        corners = "L".join(f"{_n(x(at))} {_n(y(value))}" for at, value in run)
        yield _path(index, f"M{corners}")
        for at, value in run[::every]:
            yield _mark(index, x(at), y(value))
    yield "</g>"


Row = tuple[float, ...]


def _runs(rows: Sequence[Row], drawable: Callable[[Row], bool]) -> Iterator[list[Row]]:
    """The parts of a line between its gaps."""
    for keep, run in groupby(rows, drawable):
        if keep:
            yield list(run)


def _path(index: int, d: str) -> str:
    dash = _DASHES[index % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{d}" fill="none" stroke="{_color(index)}" stroke-width="2"{dashed}/>'


def _mark(index: int, x: float, y: float) -> str:
    r = _MARK
    shape = MARKS[(index + index // len(_DASHES)) % len(MARKS)]  # with its dash unique among 16
    fill = f'fill="{_color(index)}"'
    if shape == "circle":
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" {fill}/>'
    paths = {
        "square": f"M{_n(x - r)} {_n(y - r)}h{_n(2 * r)}v{_n(2 * r)}h{_n(-2 * r)}z",
        "diamond": f"M{_n(x)} {_n(y - r - 1)}l{_n(r + 1)} {_n(r + 1)}l{_n(-r - 1)} {_n(r + 1)}"
        f"l{_n(-r - 1)} {_n(-r - 1)}z",
        "triangle": f"M{_n(x)} {_n(y - r)}l{_n(r)} {_n(2 * r)}h{_n(-2 * r)}z",
    }
    return f'<path d="{paths[shape]}" {fill}/>'


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    anchor: str = "start",
    ink: str = _INK,
    more: str = "",
) -> str:
    kind = "sc-ink" if ink == _INK else "sc-dim"
    return (
        f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" '
        f'text-anchor="{anchor}" fill="{ink}"{more}>{escape(text)}</text>'
    )


def _color(index: int) -> str:
    return COLORS[index % len(COLORS)]


def _n(value: float) -> str:
    """A number, to a hundredth of a pixel."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
