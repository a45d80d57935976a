"""Where things stand: nothing overlaps, arrows go around boxes, and texts fit."""

from itertools import combinations, pairwise, product
from math import dist

import pytest

from sysgraph_compiler.drawing import diagram, render
from sysgraph_compiler.drawing.cards import Card
from sysgraph_compiler.drawing.picture import Picture, picture
from sysgraph_compiler.drawing.shapes import corners
from tests.work import count_calls

from .samples import NAMES, program


def rectangles(drawn: Picture) -> list[tuple[float, float, float, float]]:
    def one(x: float, y: float, card: Card) -> tuple[float, float, float, float]:
        return x, y, x + card.width, y + card.height + card.below

    return [one(*box) for box in drawn.boxes]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_and_arrows_go_around_boxes(name: str) -> None:
    made = picture(diagram(program(name)))
    boxes = rectangles(made)
    for a, b in combinations(boxes, 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    for box, (left, top, right, bottom) in zip(made.diagram.boxes, boxes, strict=True):
        assert 0 < left < right < made.width
        assert 0 < top < bottom < made.height
        for arrow in made.arrows:
            begins, ends = arrow.link.source == box.id, arrow.link.target == box.id
            points = arrow.points[begins and 1 : -1 if ends else None]  # those on its outline
            for (x0, y0), (x1, y1) in pairwise(points):
                beside = max(x0, x1) <= left + 1 or min(x0, x1) >= right - 1
                beyond = max(y0, y1) <= top + 1 or min(y0, y1) >= bottom - 1
                assert beside or beyond, (arrow, (left, top, right, bottom))
    for arrow in made.arrows:
        index = {box.id: i for i, box in enumerate(made.diagram.boxes)}
        ends = (arrow.link.source, arrow.points[0]), (arrow.link.target, arrow.points[-1])
        for end, (x, y) in ends:
            left, top, right, bottom = boxes[index[end]]
            assert left - 4 <= x <= right + 4
            assert top - 4 <= y <= bottom + 4


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_arrows_overlap_nothing(name: str) -> None:
    made = picture(diagram(program(name)))
    labels = [arrow.label for arrow in made.arrows if arrow.label]
    shown = [
        (k.x - k.width / 2, k.y - k.height / 2, k.x + k.width / 2, k.y + k.height / 2)
        for k in labels
    ]
    for a, b in (*combinations(shown, 2), *product(shown, rectangles(made))):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], name
    for left, top, right, bottom in shown:
        assert 0 < left < right < made.width
        assert 0 < top < bottom < made.height


def test_arrows_end_on_the_outlines() -> None:
    """Where two distances along a side add up to its length, the point is on it."""
    made = picture(diagram(program("kinds")))
    at = {card.box.id: (x, y, card) for x, y, card in made.boxes}
    slanted = 0
    for arrow in made.arrows:
        ends = (arrow.link.source, arrow.points[0]), (arrow.link.target, arrow.points[-1])
        for box, (px, py) in ends:
            x, y, card = at[box]
            wide, high = card.width + 2 * card.around, card.height + 2 * card.around
            polygon = corners(card.box.shape, wide, high)
            if polygon is None:
                continue
            point = px - x + card.around, py - y + card.around
            sides = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
            gaps = [dist(a, point) + dist(point, b) - dist(a, b) for a, b in sides]
            assert min(gaps) < 0.01
            slanted += 0.5 < point[0] < wide - 0.5 and 0.5 < point[1] < high - 0.5
    assert slanted


@pytest.mark.parametrize("name", NAMES)
def test_labels_fit(name: str) -> None:
    made = picture(diagram(program(name)))
    for _, _, card in made.boxes:
        for text in card.texts:
            assert 0 < text.x < text.x + text.width < card.width
            assert 0 < text.y - text.size < text.y < card.height
        rows: dict[float, list[tuple[float, float]]] = {}
        for text in card.texts:
            rows.setdefault(text.y, []).append((text.x, text.x + text.width))
        for row in rows.values():
            assert all(a[1] < b[0] for a, b in pairwise(sorted(row)))
    for text in (*made.heading, *made.legend.texts):
        assert text.x + text.width <= made.width
        assert text.y < made.height


@pytest.mark.parametrize("name", ["moa", "two_stage", "fan", "chain_12"])
def test_small_pictures_fit_a_screen(name: str) -> None:
    made = picture(diagram(program(name)))
    assert made.width < 1300
    assert made.height < 1100


@pytest.mark.parametrize("name", NAMES)
def test_drawing_takes_well_under_a_second(name: str) -> None:
    """A quarter of a million calls take about a fifth of one."""
    source = program(name)
    assert count_calls(lambda: render(source, ".svg")) < 250_000
