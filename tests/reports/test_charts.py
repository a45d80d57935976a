"""Charts: valid SVG, and every point where its value is."""

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from sysgraph.reports.charts import Series, line_chart

NUMBER = r"-?[\d.]+"


def chart(*series: Series, log_x: bool = False) -> str:
    return line_chart(series, title="T", x_label="steps", y_label="win rate", log_x=log_x)


def tree(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def tagged(root: ET.Element, tag: str) -> list[ET.Element]:
    return root.findall(f".//{{http://www.w3.org/2000/svg}}{tag}")


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(rf"({NUMBER}) ({NUMBER})", path)]


def axes(svg: str) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(number, pixel) of every labelled tick of x and of y, read from the texts."""
    ticks: dict[str, list[tuple[float, float]]] = {"middle": [], "end": []}
    for text in tagged(tree(svg), "text"):
        try:
            number = float((text.text or "").replace("−", "-"))
        except ValueError:
            continue
        anchor = text.attrib["text-anchor"]
        # The base of a number on the y axis is 4 pixels below its line.
        at = text.attrib["x"] if anchor == "middle" else float(text.attrib["y"]) - 4
        ticks[anchor].append((number, float(at)))
    return ticks["middle"], ticks["end"]


def lines(svg: str) -> list[list[tuple[float, float]]]:
    groups = [g for g in tagged(tree(svg), "g") if g.attrib.get("class") == "series"]
    strokes = [p for g in groups for p in tagged(g, "path") if p.attrib["fill"] == "none"]
    return [corners(p.attrib["d"]) for p in strokes]


def bands(svg: str) -> list[list[tuple[float, float]]]:
    paths = [p for p in tagged(tree(svg), "path") if p.attrib.get("class") == "band"]
    return [corners(p.attrib["d"]) for p in paths]


def interpolated(ticks: list[tuple[float, float]], value: float) -> float:
    """The pixel of a value, from the axis' first and last labelled ticks."""
    (low, start), (high, end) = ticks[0], ticks[-1]
    return start + (value - low) / (high - low) * (end - start)


def test_points_lie_where_the_ticks_say() -> None:
    x, y = [0.0, 10.0, 25.0, 60.0], [0.2, -1.7, 3.3, 1.0]
    low, high = [v - 0.5 for v in y], [v + 1.0 for v in y]
    svg = chart(Series("a", x, y, low, high))
    across, up = axes(svg)
    assert len(across) >= 3
    assert len(up) >= 4
    (line,), (band,) = lines(svg), bands(svg)
    for (px, py), vx, vy in zip(line, x, y, strict=True):
        assert px == pytest.approx(interpolated(across, vx), abs=0.02)
        assert py == pytest.approx(interpolated(up, vy), abs=0.02)
    edges = [*zip(x, high, strict=True), *reversed(list(zip(x, low, strict=True)))]
    for (px, py), (vx, vy) in zip(band, edges, strict=True):
        assert px == pytest.approx(interpolated(across, vx), abs=0.02)
        assert py == pytest.approx(interpolated(up, vy), abs=0.02)
    height = float(tree(svg).attrib["height"])
    assert all(0 < py < height for _, py in band)


def test_larger_is_higher_and_further_right() -> None:
    ((a, b),) = lines(chart(Series("a", [1, 2], [5, 6])))
    assert a[0] < b[0]
    assert a[1] > b[1]  # pixels count downwards


def test_a_logarithmic_axis_spaces_doublings_alike() -> None:
    ks = [1, 2, 4, 8, 16, 64]
    svg = chart(Series("a", ks, [float(k) for k in ks]), log_x=True)
    (line,) = lines(svg)
    steps = [b[0] - a[0] for a, b in pairwise(line)]
    assert steps[:4] == pytest.approx([steps[0]] * 4, abs=0.03)
    assert steps[4] == pytest.approx(2 * steps[0], abs=0.03)
    assert [(k, x) for k, (x, _) in zip(ks, line, strict=True)] == axes(svg)[0]


def test_a_long_logarithmic_axis_has_powers_of_ten() -> None:
    xs = [float(i) for i in range(3, 2000, 7)]
    across, _ = axes(chart(Series("a", xs, xs), log_x=True))
    assert [x for x, _ in across] == [10, 100, 1000]


def test_text_is_escaped() -> None:
    evil = "<script>alert('1')</script> & \"]]>"
    svg = line_chart([Series(evil, [0, 1], [0, 1])], title=evil, x_label=evil, y_label=evil)
    root = tree(svg)
    assert not tagged(root, "script")
    assert [t.text for t in tagged(root, "text")].count(evil) == 4


def test_gaps_interrupt_the_line_and_a_lone_point_keeps_its_mark() -> None:
    nan = math.nan
    y = [1.0, 2.0, nan, 3.0, math.inf, 4.0, 5.0]
    svg = chart(Series("a", range(7), y, y, y))
    assert [len(line) for line in lines(svg)] == [2, 1, 2]
    assert [len(band) for band in bands(svg)] == [4, 2, 4]
    assert "nan" not in svg
    assert "inf" not in svg
    marks = [p for p in tagged(tree(svg), "path") if p.attrib["d"].endswith("z")]
    assert len(marks) == 5 + 1 + 3  # of points, of the legend, of bands


def test_lines_differ_without_colour() -> None:
    many = [Series(str(i), [0, 1], [i, i]) for i in range(16)]
    groups = [g for g in tagged(tree(chart(*many)), "g") if "series" in str(g.attrib)]
    looks = set()
    for group in groups:
        stroke, *marks = tagged(group, "path")
        shape = re.sub(rf"M{NUMBER} {NUMBER}", "", marks[0].attrib["d"]) if marks else "circle"
        looks.add((stroke.attrib.get("stroke-dasharray"), shape))
    assert len(looks) == 16


@pytest.mark.parametrize(
    ("y", "texts"),
    [
        ([0.0, 1.0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([-0.004, 0.004], ["−0.004", "−0.002", "0.000", "0.002", "0.004"]),
        ([100.0, 100.5], ["100.0", "100.1", "100.2", "100.3", "100.4", "100.5"]),
        ([0.0, 30_000.0], ["0", "10000", "20000", "30000"]),
        ([2_000_000.0, 2_000_004.0], [f"200000{i}" for i in range(5)]),
    ],
)
def test_ticks_are_round_and_told_apart(y: list[float], texts: list[str]) -> None:
    svg = chart(Series("a", [0, 1], y))
    found = [t.text for t in tagged(tree(svg), "text") if t.attrib["text-anchor"] == "end"]
    assert found == texts


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-9, 1e12])
@pytest.mark.parametrize("log_x", [False, True])
def test_one_point_is_a_chart(value: float, log_x: bool) -> None:
    svg = chart(Series("a", [5], [value]), log_x=log_x)
    ((at, up),) = (line[0] for line in lines(svg))
    root = tree(svg)
    assert 0 < at < float(root.attrib["width"])
    assert 0 < up < float(root.attrib["height"])


def test_equal_arguments_give_equal_bytes() -> None:
    one = Series("a", [0, 1, 2], [1.5, 2.5, 0.1])
    assert chart(one) == chart(one)


def test_it_can_be_painted() -> None:
    raster = pytest.importorskip("resvg_py") and pytest.importorskip(
        "sysgraph_compiler.drawing.raster"
    )
    svg = chart(Series("a", [0, 1], [0, 1], [0, 0.5], [0.5, 1.5]))
    assert raster.png(svg).startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_told() -> None:
    with pytest.raises(ValueError, match="'a': x, y, low and high differ in length"):
        Series("a", [1, 2], [1])
    with pytest.raises(ValueError, match="'a': a band needs both"):
        Series("a", [1], [1], low=[0])
    with pytest.raises(ValueError, match="'a': every x must be finite"):
        Series("a", [math.nan], [1])
    with pytest.raises(ValueError, match="no series has a finite point"):
        chart(Series("a", [1], [math.nan]))
    with pytest.raises(ValueError, match="every x to be positive"):
        chart(Series("a", [0, 1], [1, 2]), log_x=True)
