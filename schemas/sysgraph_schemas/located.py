"""YAML values that know where they stand in their file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .diagnostics import Path, Span
from .source import Source


@dataclass(slots=True, eq=False)
class Located:
    """A value with its place. `value` is plain data: the children's values, put together.

    `style` is YAML's: None for a plain scalar, a quote, `|` or `>`. `size` counts the values in
    it, `height` how deep they nest; aliases count as what they stand for. `rewritten` says what the
    file has in place of a text that was changed after reading.
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
    rewritten: Rewritten | None = None

    @property
    def span(self) -> Span:
        """Where the value stands."""
        return self.source.span(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """How a text became another one: `changes` are (start, end, start before, end before)."""

    before: str
    changes: tuple[tuple[int, int, int, int], ...]
    earlier: Rewritten | None = None

    @property
    def original(self) -> str:
        """The text as the file has it."""
        return self.earlier.original if self.earlier else self.before

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` was in the original; of what is new, what it replaced."""
        found = self._before(start, 0), self._before(end, 1)
        return self.earlier.place(*found) if self.earlier else found

    def _before(self, at: int, side: int) -> int:
        shift = 0
        for start, end, old_start, old_end in self.changes:
            if at < start + side:
                break
            if at < end + side:
                return (old_start, old_end)[side]
            shift = old_end - end
        return at + shift


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


def mapping(like: Located, entries: dict[str, Entry]) -> Located:
    """A mapping that stands where `like` does."""
    parts = [entry.node for entry in entries.values()]
    made = Located(like.source, like.start, like.end, {}, like.style, entries=entries)
    made.value = {name: entry.node.value for name, entry in entries.items()}
    return _measured(made, parts)


def listing(like: Located, items: list[Located]) -> Located:
    """A list that stands where `like` does."""
    made = Located(like.source, like.start, like.end, [], like.style, items=items)
    made.value = [item.value for item in items]
    return _measured(made, items)


def scalar(like: Located, value: object) -> Located:
    """A plain value that stands where `like` does."""
    return Located(like.source, like.start, like.end, value, like.style)


def rewrite(node: Located, changes: Sequence[tuple[int, int, str]]) -> Located:
    """A text with parts of it replaced, (start, end, new text) in order; places stay known."""
    assert isinstance(node.value, str)
    if not changes:
        return node
    pieces, made, at, length = [], [], 0, 0
    for start, end, new in changes:
        pieces += [node.value[at:start], new]
        length += start - at
        made.append((length, length + len(new), start, end))
        length += len(new)
        at = end
    text = "".join([*pieces, node.value[at:]])
    changed = scalar(node, text)
    changed.rewritten = Rewritten(node.value, tuple(made), node.rewritten)
    return changed


def _measured(node: Located, parts: list[Located]) -> Located:
    node.size = 1 + sum(part.size for part in parts)
    node.height = 1 + max((part.height for part in parts), default=0)
    return node


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
