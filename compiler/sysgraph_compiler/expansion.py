"""What `for_each` and `loops` make of a node: its copies, and whose copies each of them sees."""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from math import prod

from sysgraph_schemas import Graph, Loop, NodeSpec
from sysgraph_schemas.limits import MAX_EDGES

from .copies import LAST, Scalar, copy_name, copy_names
from .edges import Edge, End, pair_count, parse_edge
from .records import meant

ROUND = "round"
"""The name of the turn in a loop's templates, and the last key of its copies."""

ROUNDS = "rounds"
"""How many turns there are, in a loop's templates."""
NUMBER = "number"
"""A copy's number among its node's copies, from 1, in its templates; a node or key so called hides
it."""

Seen = str | tuple[str, ...]
"""One variable, or a group's in order."""


class Expansion:
    """The axes along which each node is copied: its `for_each` keys, then its loop's turns."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    # --- loops ---------------------------------------------------------------------------------

    @cached_property
    def loop_of(self) -> dict[str, str]:
        """The loop that each node is in, for those that are in one."""
        return {
            node: name
            for name, loop in reversed(self._graph.loops.items())
            for node in loop.nodes
            if node in self._graph.nodes
        }

    def loop(self, node: str) -> Loop | None:
        """The loop that a node is in."""
        name = self.loop_of.get(node)
        return None if name is None else self._graph.loops[name]

    def turns(self, node: str) -> int:
        """How many turns the node's loop has at most; 0 outside of loops."""
        loop = self.loop(node)
        if loop is None:
            return 0
        return self.most(loop.over) if loop.over is not None else loop.repeat or 0

    def is_open(self, node: str) -> bool:
        """Whether the node is in a loop that may end before its last turn."""
        loop = self.loop(node)
        return loop is not None and loop.is_open

    def last(self, node: str) -> tuple[str, ...]:
        """For a node of an open loop: the variables that have its last turn, one a copy."""
        axes: dict[str, list[Scalar]] = {**self.axes[node], ROUND: [LAST]}
        return tuple(name for name, _ in copy_names(node, axes))

    @cached_property
    def lists(self) -> frozenset[str]:
        """The nodes over whose elements something is copied, or a loop runs."""
        spread = {name for node in self._graph.nodes.values() for name in node.spread.values()}
        over = {loop.over for loop in self._graph.loops.values() if loop.over is not None}
        return frozenset(spread | over)

    @cached_property
    def carry_count(self) -> int:
        """Parents times children of everything that loops carry."""
        return pair_count(text for loop in self._graph.loops.values() for text in loop.carry)

    @cached_property
    def carried(self) -> dict[tuple[str, str], tuple[str, Edge, End, End]]:
        """(parent, child) of what goes into a next turn: its loop, and where that is written."""
        found: dict[tuple[str, str], tuple[str, Edge, End, End]] = {}
        if self.carry_count > MAX_EDGES:
            return found
        for name, loop in self._graph.loops.items():
            for edge in carry_edges(loop):
                for parent, child in edge.pairs():
                    if self.loop_of.get(parent.name) == self.loop_of.get(child.name) == name:
                        for source in meant(self._graph, parent.name, child.name):
                            found.setdefault((source, child.name), (name, edge, parent, child))
        return found

    @cached_property
    def carried_into(self) -> dict[str, list[str]]:
        """What each node of a loop is given from the turn before."""
        found: dict[str, list[str]] = {}
        for parent, child in self.carried:
            found.setdefault(child, []).append(parent)
        return found

    # --- copies --------------------------------------------------------------------------------

    @cached_property
    def axes(self) -> dict[str, Mapping[str, list[Scalar]]]:
        """The keys of each node that is copied, with the values that each takes."""
        every = {name: self._axes(name, node) for name, node in self._graph.nodes.items()}
        return {name: axes for name, axes in every.items() if axes}

    def _axes(self, name: str, node: NodeSpec) -> Mapping[str, list[Scalar]]:
        if not node.copies and not node.spread and name not in self.loop_of:
            return {}
        axes: dict[str, list[Scalar]] = {
            key: node.copies[key] if key in node.copies else _numbers(self.most(node.spread[key]))
            for key in node.each
        }
        if name in self.loop_of:
            axes[ROUND] = _numbers(self.turns(name))
        return axes

    def most(self, node: str) -> int:
        """How many elements a node's list has at most; 0 where nothing bounds it."""
        spec = self._graph.nodes.get(node)
        return (spec.most or 0) if spec else 0

    def fewest(self, node: str) -> int:
        """How many elements a node's list has at least."""
        spec = self._graph.nodes.get(node)
        return spec.fewest if spec else 0

    def count(self, name: str) -> int:
        """How many copies a node has; 1 for one that is not copied."""
        return prod(map(len, self.axes.get(name, {}).values()))

    def is_group(self, name: str) -> bool:
        """Whether others see a list of its copies; a loop alone gives them one turn's value."""
        node = self._graph.nodes.get(name)
        return node is not None and bool(node.copies or node.spread)

    # --- who sees whom -------------------------------------------------------------------------

    def pairs(self, parent: str, child: str) -> bool:
        """Whether each copy of `child` reads its own copy of `parent`.

        What computes without a model does, where it has the parent's `for_each`.
        """
        one, other = self._graph.nodes[parent], self._graph.nodes[child]
        if not other.is_deterministic or not self.is_group(child):
            return False
        return other.copies == one.copies and other.spread == one.spread

    def number_seen(self, parent: str, child: str) -> int:
        """How many copies of `parent` each copy of `child` sees."""
        if self.pairs(parent, child):
            return 1
        return self.count(parent) // max(1, self.turns(parent))

    def seen(
        self, parent: str, child: str, bindings: Mapping[str, Scalar], *, carried: bool = False
    ) -> Seen | None:
        """What the copy of `child` with these bindings sees of `parent`; None: nothing yet.

        All copies of a `for_each` parent, as a group; its own, where they pair. Of a loop: its own
        turn, or the one before where it is `carried`; from outside, the last one (that ran).
        """
        if parent not in self.axes:
            return parent
        turn = self._turn_seen(parent, child, bindings, carried=carried)
        if turn == 0:
            return None
        if self.pairs(parent, child):
            values = {**bindings, ROUND: turn or 0}
            return copy_name(parent, [values[key] for key in self.axes[parent]])
        names = self.last(parent) if turn == LAST else self._by_turn[parent][turn]
        return names if self.is_group(parent) else names[0]

    def _turn_seen(
        self, parent: str, child: str, bindings: Mapping[str, Scalar], *, carried: bool
    ) -> int | str | None:
        """The turn of `parent` that is seen; 0: the one before the first; None: outside loops."""
        if parent not in self.loop_of:
            return None
        if self.loop_of[parent] != self.loop_of.get(child):
            return LAST if self.is_open(parent) else self.turns(parent)
        return int(bindings[ROUND]) - carried

    def in_turn(self, node: str, turn: int) -> Seen:
        """What a turn has of a node of its loop: a variable, or a group."""
        names = self._by_turn[node][turn]
        return names if self.is_group(node) else names[0]

    @cached_property
    def _by_turn(self) -> dict[str, dict[int | str | None, tuple[str, ...]]]:
        found: dict[str, dict[int | str | None, tuple[str, ...]]] = {}
        for name, axes in self.axes.items():
            by_turn: dict[int | str | None, list[str]] = {}
            for copy, bindings in copy_names(name, axes):
                turn = int(bindings[ROUND]) if name in self.loop_of else None
                by_turn.setdefault(turn, []).append(copy)
            found[name] = {turn: tuple(copies) for turn, copies in by_turn.items()}
        return found


@cache
def _numbers(count: int) -> list[Scalar]:
    """1 to `count`; one list for all nodes that have so many turns or elements."""
    return list(range(1, count + 1))


def carry_edges(loop: Loop) -> Iterable[Edge]:
    """What a loop carries, as edges."""
    return (parse_edge(index, text) for index, text in enumerate(loop.carry))
