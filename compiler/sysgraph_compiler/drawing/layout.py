"""Where everything goes: graphlay's layered layout, which knows sizes and routes around boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import graphlay

from .cards import Card
from .spec import Link

Point = tuple[float, float]

_DIRECTIONS = ("topbottom", "leftright")
_PAGE = (1_200.0, 900.0)
"""Width and height, px, in which a picture is read without scaling it down."""
PAIRED_LABEL = (22.0, 16.0)
"""Room for `1:1` on an arrow."""
_OPTIONS = {
    "spacing": {
        "layer_gap": 48.0,
        "node_gap": 32.0,
        "dummy_gap": 22.0,
        "port_gap": 16.0,
        "stub": 20.0,
    },
    "routing": {"style": "orthogonal"},
}


@dataclass(frozen=True)
class Placed:
    """Boxes by their top left corners, arrows as polylines from border to border."""

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    labels: tuple[Point | None, ...]
    """Centres of the arrows' labels."""
    width: float
    height: float


def place(cards: Sequence[Card], links: Sequence[Link]) -> Placed:
    """The first layout that fits the page, else the one that fits best. Deterministic.

    Downwards, rightwards, then both again with what is near to a chain in several columns or rows.
    A dense graph, whose layout takes its time, goes downwards.
    """
    tried: list[Placed] = []
    density = len(links) / max(1, len(cards))
    for wrapped in (False, True) if density <= 1.5 else (False,):
        for direction in _DIRECTIONS if density <= 3 else _DIRECTIONS[:1]:
            tried.append(_place(cards, links, direction, wrapped))
            if _scale(tried[-1]) == 1.0:
                return tried[-1]
    return max(tried, key=_scale)


def _scale(placed: Placed) -> float:
    return min(_PAGE[0] / placed.width, _PAGE[1] / placed.height, 1.0)


def _place(cards: Sequence[Card], links: Sequence[Link], direction: str, wrapped: bool) -> Placed:
    graph = graphlay.Graph()
    for card in cards:
        graph.node(
            card.box.id,
            width=card.width + 2 * card.around,
            height=card.height + card.below + 2 * card.around,
        )
    for link in links:
        size = {"width": PAIRED_LABEL[0], "height": PAIRED_LABEL[1]} if link.paired else None
        graph.edge(link.source, link.target, label_size=size)
    aspect = _PAGE[0] / _PAGE[1] if wrapped else 0.0
    options = {"direction": direction, "wrap": {"viewport_aspect": aspect}, **_OPTIONS}
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
            for node, card in zip(found.nodes, cards, strict=True)
        ),
        routes=tuple(tuple((x - low[0], y - low[1]) for x, y in route) for route in routes),
        labels=tuple(_label(edge, low) for edge in found.edges),
        width=high[0] - low[0],
        height=high[1] - low[1],
    )


def _label(edge: dict[str, dict[str, float]], low: Point) -> Point | None:
    anchor = edge["label_anchor"]
    return (anchor["x"] - low[0], anchor["y"] - low[1]) if anchor else None
