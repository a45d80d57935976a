"""Where everything goes: graphlay's layered layout, which knows sizes and routes around boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import graphlay

from .cards import Card
from .spec import Link

Point = tuple[float, float]
Direction = Literal["topbottom", "leftright"]

_PAGE = (1_200.0, 900.0)
"""The shape to fill: of both directions, the one that is shown larger on it is taken."""
PAIRED_LABEL = (22.0, 16.0)
"""Room for `1:1` on an arrow."""


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
    """The layout, in the direction that suits its shape. Deterministic."""
    directions: tuple[Direction, ...] = ("topbottom", "leftright")
    return max((_place(cards, links, d) for d in directions), key=_scale)


def _scale(placed: Placed) -> float:
    return min(_PAGE[0] / placed.width, _PAGE[1] / placed.height, 1.0)


def _place(cards: Sequence[Card], links: Sequence[Link], direction: Direction) -> Placed:
    graph = graphlay.Graph()
    for card in cards:
        graph.node(
            card.box.id,
            width=card.width + 2 * card.around,
            height=card.height + card.below + 2 * card.around,
        )
    for link in links:
        size = {"width": PAIRED_LABEL[0], "height": PAIRED_LABEL[1]}
        fields = {"label_size": size} if link.paired else {}
        graph.edge(link.source, link.target, **fields)
    found = graphlay.layout(
        graph,
        options={
            "direction": direction,
            "spacing": {
                "layer_gap": 48.0,
                "node_gap": 32.0,
                "dummy_gap": 22.0,
                "port_gap": 16.0,
                "stub": 20.0,
            },
            "routing": {"style": "orthogonal"},
            "wrap": {"viewport_aspect": (__import__("os").environ.get("WR") and float(__import__("os").environ["WR"])) or 0.0},
        },
    )
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
