"""Kinds and roles of nodes can be told apart, with colors and without."""

import re

import pytest

from sysgraph_compiler.drawing.palette import COLORS, color, mark
from sysgraph_compiler.drawing.svg import DARK, LIGHT

from .parsed import SVG, svg
from .samples import program


def looks(name: str) -> dict[str, tuple[object, ...]]:
    """What is left of each box without its colours and texts, by title."""
    root = svg(program(name))
    style = root.findtext(f"{SVG}style") or ""
    found = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") != "sg-node":
            continue
        last = [e for e in group.iter() if e.get("class", "").startswith("sg-box")][-1]
        role = last.get("class", "").removeprefix("sg-box sg-")
        dash = re.search(rf"\.sg-{role}{{stroke-dasharray:([^}}]*)}}", style)
        corners = last.get("d", "").count("L"), last.get("rx")
        drawn_in = sorted(p.get("class", "") for p in group.iter(f"{SVG}path"))
        inner = [kind for kind in drawn_in if kind in ("sg-bars", "sg-line")]
        found[group.findtext(f"{SVG}title", "").split(" ")[0]] = (dash and dash[1], corners, *inner)
    return found


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("fan", ["paper", "review", "score", "critique", "verdict"]),
        ("kinds", ["task", "route", "sum", "value", "best", "captions", "image"]),
    ],
)
def test_kinds_and_roles_differ_without_colors(name: str, nodes: list[str]) -> None:
    found = looks(name)
    assert len({found[node] for node in nodes}) == len(nodes)


def test_colors_have_contrast_and_marks_differ() -> None:
    def luminance(color: str) -> float:
        values = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return sum(part * v for part, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(a: str, b: str) -> float:
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    for theme in (LIGHT, DARK):
        assert all(contrast(one, theme["paper"]) >= 3 for one in COLORS)
        assert all(contrast(theme[text], theme["paper"]) >= 4.5 for text in ("ink", "dim"))
    assert len({(color(i), mark(i)) for i in range(32)}) == 32
