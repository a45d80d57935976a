"""What a picture can hold: beyond it, nodes are folded into boxes, step by step until they fit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .nodes import NodeLink
from .spec import Node

MAX_BOXES = 60
"""Boxes of one picture; more are not read, only looked at."""
MAX_LINKS = 240
"""Arrows of one picture."""
MAX_SPAN = 700
"""Layers that all arrows pass together: the layout takes longer with it, faster than linear."""

Group = tuple[str, ...]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Folded:
    """Nodes of the picture's boxes, in topological order, and what was done, as words."""

    groups: tuple[Group, ...]
    note: str


def fold(nodes: Sequence[Node], links: Sequence[NodeLink]) -> Folded:
    """Every node by itself where the picture can hold it; else the first step that fits."""
    state = _State([(node.name,) for node in nodes], links, {n.name: n for n in nodes})
    done: list[str] = []
    for name, step in _STEPS:
        if state.fits():
            break
        before = len(state.groups)
        state = state.merged(step(state))
        if len(state.groups) < before:
            done.append(name)
    if not state.fits():
        done.append("nodes of neighbouring layers")
        state = _banded(state)
    if not done:
        return Folded(tuple(state.groups), "")
    counts = f"{len(nodes)} nodes drawn as {len(state.groups)} boxes"
    return Folded(tuple(state.groups), f"{counts}: folded are {', '.join(done)}.")


def _banded(state: "_State") -> "_State":
    """The thinnest bands that fit, to a quarter: sizes grow, as each is tried on all links."""
    size = max(2, max(state.depth) // MAX_BOXES)
    found = state.merged(_bands(state, size))
    while not found.fits():
        size += max(1, size // 4)
        found = state.merged(_bands(state, size))
    return found


class _State:
    """Groups of nodes and the links among them, by index. Groups are in topological order."""

    def __init__(
        self, groups: list[Group], links: Sequence[NodeLink], nodes: dict[str, Node]
    ) -> None:
        self.groups, self.links, self.nodes = groups, links, nodes
        home = {name: index for index, group in enumerate(groups) for name in group}
        pairs = ((home[link.parent], home[link.child]) for link in links)
        self.pairs: list[Pair] = list(dict.fromkeys(p for p in pairs if p[0] != p[1]))
        self.parents: list[list[int]] = [[] for _ in groups]
        self.children: list[list[int]] = [[] for _ in groups]
        for parent, child in self.pairs:
            self.parents[child].append(parent)
            self.children[parent].append(child)
        self.depth = [0] * len(groups)
        for index in self.order():
            self.depth[index] = 1 + max((self.depth[p] for p in self.parents[index]), default=-1)

    def order(self) -> list[int]:
        """The groups, parents first; ties as they come."""
        waiting = [len(parents) for parents in self.parents]
        ready = [i for i, count in enumerate(waiting) if not count]
        for index in ready:
            for child in self.children[index]:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        return ready

    def fits(self) -> bool:
        """Whether a picture can hold this."""
        if len(self.groups) > MAX_BOXES or len(self.pairs) > MAX_LINKS:
            return False
        return sum(self.depth[c] - self.depth[p] for p, c in self.pairs) <= MAX_SPAN

    def look(self, index: int) -> tuple[str, str, bool, frozenset[str | None]]:
        """What nodes in one box have in common."""
        members = [self.nodes[name] for name in self.groups[index]]
        kinds, roles = {m.kind for m in members}, {m.role for m in members}
        kind = members[0].kind if len(kinds) == 1 else ""
        role = members[0].role if len(roles) == 1 else "mixed"
        loops = frozenset(m.loop for m in members)
        return kind, role, any(m.output for m in members), loops

    def merged(self, parts: Iterable[Sequence[int]]) -> "_State":
        """The groups of each part as one. Parts must leave no cycle."""
        merged = [tuple(name for i in part for name in self.groups[i]) for part in parts]
        state = _State(merged, self.links, self.nodes)
        return _State([merged[i] for i in state.order()], self.links, self.nodes)


def _by(state: _State, key: Callable[[int], object]) -> list[list[int]]:
    found: dict[object, list[int]] = {}
    for index in range(len(state.groups)):
        found.setdefault(key(index), []).append(index)
    return list(found.values())


def _alike(state: _State) -> list[list[int]]:
    """Groups with the same parents, children and look."""
    parents = [frozenset(p) for p in state.parents]
    children = [frozenset(c) for c in state.children]
    return _by(state, lambda i: (parents[i], children[i], state.look(i)))


def _chains(state: _State) -> list[list[int]]:
    """Runs in which each group is the only child of its only parent, cut to fill half a picture."""
    longest = max(3, 2 * len(state.groups) // MAX_BOXES)
    parts: list[list[int]] = []
    place: dict[int, int] = {}
    for index in range(len(state.groups)):
        (parent, *others) = state.parents[index] or [-1]
        alone = parent >= 0 and not others and state.children[parent] == [index]
        whole = parent >= 0 and len(parts[place[parent]]) == longest
        if alone and not whole and state.look(parent)[1] != "input" and not state.look(parent)[2]:
            place[index] = place[parent]
            parts[place[index]].append(index)
        else:
            place[index] = len(parts)
            parts.append([index])
    return parts


def _layers(state: _State) -> list[list[int]]:
    """Groups of one depth and look."""
    return _by(state, lambda i: (state.depth[i], state.look(i)))


def _bands(state: _State, size: int) -> list[list[int]]:
    """All groups of `size` neighbouring depths, inputs apart."""
    lone = [state.look(i)[1] == "input" for i in range(len(state.groups))]
    return _by(state, lambda i: (-1, 0) if lone[i] else (0, state.depth[i] // size))


_STEPS: tuple[tuple[str, Callable[[_State], list[list[int]]]], ...] = (
    ("nodes that see and are seen by the same nodes", _alike),
    ("chains", _chains),
    ("nodes of one layer and kind", _layers),
)
