"""YAML values that know where they stand in their file."""

from __future__ import annotations

from dataclasses import dataclass, field

from .diagnostics import Path, Span
from .source import Source


@dataclass(slots=True, eq=False)
class Located:
    """A value with its place. `value` is plain data: the children's values, put together.

    `style` is YAML's: None for a plain scalar, a quote, `|` or `>`. `size` counts the values in
    it, `height` how deep they nest; aliases count as what they stand for.
    """

    source: Source
    start: int
    end: int
    value: object
    style: str | None = None
    items: list[Located] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    @property
    def span(self) -> Span:
        """Where the value stands."""
        return self.source.span(self.start, self.end)


@dataclass(slots=True, eq=False)
class Entry:
    """One `key: value` of a mapping."""

    key: Located
    node: Located


@dataclass(slots=True, eq=False)
class Places:
    """Where the parts of a graph stand in its file.

    `broken` are the paths whose content had problems and is not in the graph, so that nobody
    reports what only follows from those problems. `sound` is False where there was any problem.
    """

    root: Located
    broken: frozenset[Path] = frozenset()
    sound: bool = True

    def find(self, path: Path) -> Located | None:
        """The value at a path."""
        node: Located | None = self.root
        for step in path:
            if node is None:
                return None
            node = _child(node, step)
        return node

    def value(self, path: Path) -> Span | None:
        """Where the value at a path stands; where its nearest parent does, if it is not written."""
        for length in range(len(path), -1, -1):
            node = self.find(path[:length])
            if node is not None:
                return node.span if length == len(path) else self.key(path[:length])
        return None

    def key(self, path: Path) -> Span | None:
        """Where the key of a path's last step stands; an item of a list stands for itself."""
        parent = self.find(path[:-1])
        if not path or parent is None:
            return self.value(path) if path else None
        step = path[-1]
        if isinstance(step, str) and step in parent.entries:
            return parent.entries[step].key.span
        return self.value(path)


class Nowhere(Places):
    """No file: the graph was written in Python, and paths say where in it."""

    def __init__(self) -> None:
        super().__init__(Located(Source("", ""), 0, 0, {}))

    def find(self, path: Path) -> Located | None:
        """Nothing."""
        return None


def _child(node: Located, step: str | int) -> Located | None:
    if isinstance(step, str):
        entry = node.entries.get(step)
        return entry.node if entry else None
    return node.items[step] if step < len(node.items) else None
