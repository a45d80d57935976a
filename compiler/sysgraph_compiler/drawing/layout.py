"""Where everything goes: graphlay's layered layout, which knows sizes and routes around boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import graphlay

from .cards import SMALL, Card
from .measure import elide, width
from .shapes import Point
from .spec import Frame, Link

_DIRECTIONS = ("topbottom", "leftright")
_PAGE = (1_200.0, 900.0)
"""Width and height, px, in which a picture is read without scaling it down."""
_LABEL = (8.0, 16.0)
"""Room for a label on an arrow: beside its text, and its height."""
_LONGEST = 150.0
"""Widest label, px."""
_FRAME = 22.0
"""Room for a frame's title, px."""
_LAYER_GAP = {False: 48.0, True: 68.0}
"""Between layers, by whether choices gate something: those arrows have longer labels, px."""
_SPACING = {"node_gap": 32.0, "dummy_gap": 22.0, "port_gap": 16.0, "stub": 20.0}


@dataclass(frozen=True)
class Label:
    """What stands on an arrow, centred at x, y."""

    x: float
    y: float
    text: str
    width: float
    height: float = _LABEL[1]


@dataclass(frozen=True)
class Placed:
    """Where boxes are (their top left corners), and frames (left, top, width, height).

    Arrows are polylines from border to border.
    """

    corners: tuple[Point, ...]
    frames: tuple[tuple[float, float, float, float], ...]
    routes: tuple[tuple[Point, ...], ...]
    labels: tuple[Label | None, ...]
    width: float
    height: float


def place(cards: Sequence[Card], links: Sequence[Link], frames: Sequence[Frame] = ()) -> Placed:
    """The first layout that fits the page, else the one that fits best. Deterministic.

    Downwards, rightwards, then both again with what is near to a chain in several columns or rows.
    A dense graph, whose layout takes its time, goes downwards.
    """
    tried: list[Placed] = []
    density = len(links) / max(1, len(cards))
    for wrapped in (False, True) if density <= 1.5 and not frames else (False,):
        for direction in _DIRECTIONS if density <= 3 else _DIRECTIONS[:1]:
            tried.append(_place(cards, links, frames, direction, wrapped))
            if _scale(tried[-1]) == 1.0:
                return tried[-1]
    return max(tried, key=_scale)


def _scale(placed: Placed) -> float:
    return min(_PAGE[0] / placed.width, _PAGE[1] / placed.height, 1.0)


def _place(
    cards: Sequence[Card],
    links: Sequence[Link],
    frames: Sequence[Frame],
    direction: str,
    wrapped: bool,
) -> Placed:
    graph = graphlay.Graph()
    # Frames are the nodes after the boxes; what is in one names its number.
    numbers = {frame.id: len(cards) + index for index, frame in enumerate(frames)}
    around = {box: numbers[frame.id] for frame in frames for box in frame.boxes}
    for card in cards:
        graph.node(
            card.box.id,
            width=card.width + 2 * card.around,
            height=card.height + card.below + 2 * card.around,
            parent=around.get(card.box.id),
        )
    for frame in frames:
        parent = numbers[frame.parent] if frame.parent else None
        graph.node(frame.id, width=_least(frame.title), height=_FRAME, parent=parent)
    order = {card.box.id: index for index, card in enumerate(cards)}
    texts = [elide(link.label, SMALL, _LONGEST) if link.kind != "next" else "" for link in links]
    for link, text in zip(links, texts, strict=True):
        size = {"width": width(text, SMALL) + _LABEL[0], "height": _LABEL[1]} if text else None
        back = order[link.source] > order[link.target]
        graph.edge(link.source, link.target, label_size=size, reverse_for_ranking=back)
    aspect = _PAGE[0] / _PAGE[1] if wrapped else 0.0
    gap = _LAYER_GAP[any(link.kind in ("gate", "until") for link in links)]
    options = {
        "direction": direction,
        "wrap": {"viewport_aspect": aspect},
        "spacing": {"layer_gap": gap, "compound_header": _FRAME, **_SPACING},
        "labels": {"reservation": "always"},
        "routing": {"style": "orthogonal"},
    }
    found = graphlay.layout(graph, options=options)
    low = found.bounds["min"]["x"], found.bounds["min"]["y"]
    high = found.bounds["max"]["x"], found.bounds["max"]["y"]
    routes = [[(p["x"], p["y"]) for p in edge["points"]] for edge in found.edges]
    return Placed(
        corners=tuple(
            (
                node["center"]["x"] - node["size"]["width"] / 2 - low[0] + card.around,
                node["center"]["y"] - node["size"]["height"] / 2 - low[1] + card.around,
            )
            for node, card in zip(found.nodes[: len(cards)], cards, strict=True)
        ),
        frames=tuple(_frame(node, low) for node in found.nodes[len(cards) :]),
        routes=tuple(tuple((x - low[0], y - low[1]) for x, y in route) for route in routes),
        labels=tuple(
            _label(text, edge, low) for text, edge in zip(texts, found.edges, strict=True)
        ),
        width=high[0] - low[0],
        height=high[1] - low[1],
    )


def _least(title: str) -> float:
    return width(title, SMALL, True) + 2 * _LABEL[0]


def _frame(node: dict[str, dict[str, float]], low: Point) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    wide, high = node["size"]["width"], node["size"]["height"]
    return (
        node["center"]["x"] - wide / 2 - low[0],
        node["center"]["y"] - high / 2 - low[1],
        wide,
        high,
    )


def _label(text: str, edge: dict[str, dict[str, float]], low: Point) -> Label | None:
    anchor = edge["label_anchor"]
    if not anchor or not text:
        return None
    return Label(anchor["x"] - low[0], anchor["y"] - low[1], text, width(text, SMALL) + _LABEL[0])
