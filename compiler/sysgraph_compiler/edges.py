"""Edges as the file writes them: `a, b -> c, d` gives c and d the parents a and b."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from sysgraph_schemas.spec import DOTTED

ARROW = "->"


@dataclass(frozen=True, slots=True)
class End:
    """A node's name in an edge, and where in the edge's text it stands."""

    name: str
    start: int

    @property
    def end(self) -> int:
        """Where the name ends in the edge's text."""
        return self.start + len(self.name)


@dataclass(frozen=True, slots=True)
class Edge:
    """One item of `edges`. `fault` says what is wrong with how it is written, if anything is."""

    index: int
    text: str
    parents: tuple[End, ...] = ()
    children: tuple[End, ...] = ()
    fault: str | None = None

    def pairs(self) -> Iterator[tuple[End, End]]:
        """Every (parent, child)."""
        return ((parent, child) for parent in self.parents for child in self.children)


def pair_count(texts: Iterable[str]) -> int:
    """Parents times children of every edge, without parsing any."""
    sides = (text.split(ARROW, 1) for text in texts)
    return sum(prod(side.count(",") + 1 for side in both) for both in sides)


def parse_edges(texts: Sequence[str], skip: Iterable[int] = ()) -> tuple[Edge, ...]:
    """All edges but those at the indices in `skip`."""
    left_out = set(skip)
    return tuple(parse_edge(i, text) for i, text in enumerate(texts) if i not in left_out)


def parse_edge(index: int, text: str) -> Edge:
    """One edge."""
    left, arrow, right = text.partition(ARROW)
    if not arrow:
        return Edge(index, text, fault="an edge has an arrow `->` from parents to children")
    if ARROW in right:
        return Edge(index, text, fault="an edge has one arrow; write a chain as several edges")
    parents, children = _ends(left, 0), _ends(right, len(left) + len(arrow))
    for side, ends in (("parent", parents), ("child", children)):
        if not ends:
            return Edge(index, text, fault=f"this edge has no {side}")
        for end in ends:
            if not end.name:
                return Edge(index, text, fault="there is a comma with no name beside it")
            if not re.fullmatch(DOTTED, end.name):
                return Edge(index, text, fault=f"`{end.name[:60]}` is no node's name")
    return Edge(index, text, parents, children)


def _ends(side: str, start: int) -> tuple[End, ...]:
    if not side.strip():
        return ()
    ends = []
    for part in side.split(","):
        indent = len(part) - len(part.lstrip())
        ends.append(End(part.strip(), start + indent))
        start += len(part) + 1
    return tuple(ends)
