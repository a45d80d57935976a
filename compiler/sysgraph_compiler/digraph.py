"""Directed graphs: orders, what reaches what, and what goes round in a circle.

networkx has all of it and takes longer to import than a graph file takes to compile, so it is what
the tests compare with.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, Self, TypeVar

N = TypeVar("N", bound=Hashable)


class Digraph(Generic[N]):
    """Nodes and edges, both in the order in which they were added; an edge is there once."""

    def __init__(self, nodes: Iterable[N] = (), edges: Iterable[tuple[N, N]] = ()) -> None:
        self._after: dict[N, dict[N, None]] = {}
        self._before: dict[N, dict[N, None]] = {}
        for node in nodes:
            self._add(node)
        self.add(edges)

    def add(self, edges: Iterable[tuple[N, N]]) -> None:
        """Adds edges, each from a parent to a child, and the nodes that they name."""
        for parent, child in edges:
            self._add(parent)
            self._add(child)
            self._after[parent][child] = None
            self._before[child][parent] = None

    def _add(self, node: N) -> None:
        if node not in self._after:
            self._after[node], self._before[node] = {}, {}

    def __iter__(self) -> Iterator[N]:
        return iter(self._after)

    def __contains__(self, node: object) -> bool:
        return node in self._after

    def has_edge(self, parent: N, child: N) -> bool:
        """Whether there is this edge."""
        return child in self._after.get(parent, ())

    def children(self, node: N) -> Iterable[N]:
        """Where its edges lead."""
        return self._after[node].keys()

    def parents(self, node: N) -> Iterable[N]:
        """Where edges lead to it from."""
        return self._before[node].keys()

    def ends(self) -> list[N]:
        """The nodes that lead nowhere."""
        return [node for node, children in self._after.items() if not children]

    def part(self, nodes: Iterable[N], without: Iterable[tuple[N, N]] = ()) -> Self:
        """A graph of some of the nodes, with the edges between them, but for some edges."""
        kept, left_out = set(nodes), set(without)
        ordered = [node for node in self if node in kept]
        pairs = ((node, child) for node in ordered for child in self._after[node])
        edges = (pair for pair in pairs if pair[1] in kept and pair not in left_out)
        return type(self)(ordered, edges)

    def order(self) -> list[N]:
        """Parents before children; what is in a circle, or after one, is left out."""
        lacking = {node: len(parents) for node, parents in self._before.items()}
        found = [node for node, count in lacking.items() if not count]
        for node in found:
            for child in self._after[node]:
                lacking[child] -= 1
                if not lacking[child]:
                    found.append(child)
        return found

    def order_by(self, rank: Callable[[N], int]) -> Iterator[N]:
        """Parents before children; of those that could be next, the one of the lowest rank."""
        lacking = {node: len(parents) for node, parents in self._before.items()}
        node_at = {rank(node): node for node in self}
        ready = [rank(node) for node, count in lacking.items() if not count]
        heapify(ready)
        while ready:
            node = node_at[heappop(ready)]
            yield node
            for child in self._after[node]:
                lacking[child] -= 1
                if not lacking[child]:
                    heappush(ready, rank(child))

    @property
    def has_circle(self) -> bool:
        """Whether some node leads to itself."""
        return len(self.order()) < len(self._after)

    def below(self, start: N) -> dict[N, N]:
        """The nodes that a node leads to, nearest first, each with the one it is reached from."""
        return _reached(self._after, start)

    def above(self, end: N) -> dict[N, N]:
        """The nodes that lead to a node, nearest first, each with the one that is next to it."""
        return _reached(self._before, end)

    def way(self, start: N, end: N) -> list[N]:
        """A shortest way, with both ends: there has to be one."""
        next_to = self.above(end)
        found = [start]
        while found[-1] != end:
            found.append(next_to[found[-1]])
        return found

    def tangles(self) -> list[set[N]]:
        """The strongly connected components: nodes that lead to one another, or one alone."""
        # Kosaraju: what a search backwards reaches, begun from the node that was left last.
        found: list[set[N]] = []
        rest = set(self)
        for start in reversed(self._left()):
            if start in rest:
                rest.discard(start)
                tangle = [start]
                for node in tangle:
                    new = [parent for parent in self._before[node] if parent in rest]
                    rest.difference_update(new)
                    tangle += new
                found.append(set(tangle))
        return found

    def _left(self) -> list[N]:
        """The nodes in the order in which a depth-first search is done with them."""
        found: list[N] = []
        seen: set[N] = set()
        for start in self:
            way = [] if start in seen else [(start, iter(self._after[start]))]
            seen.add(start)
            while way:
                node, children = way[-1]
                for child in children:
                    if child not in seen:
                        seen.add(child)
                        way.append((child, iter(self._after[child])))
                        break
                else:
                    found.append(node)
                    way.pop()
        return found


def _reached(edges: dict[N, dict[N, None]], start: N) -> dict[N, N]:
    found: dict[N, N] = {}
    following = [start]
    for node in following:
        for other in edges[node]:
            if other not in found and other != start:
                found[other] = node
                following.append(other)
    return found
