"""Where a graph names its nodes, models and parsers, and how those names are changed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from ..located import Entry, Located, listing, mapping, rewrite, scalar

NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
ARROW = "->"
_NAMING = ("for_each", "insert")
"""What names a node in a list of messages."""
Rename = Callable[[str, Located, tuple[int, int]], str]
"""The new name for one that stands in a value, between two of its characters."""


@dataclass(frozen=True)
class Renames:
    """New names, by what is named."""

    node: Rename
    model: Rename
    parser: Rename


def node_renamed(node: Located, to: Renames) -> Located:
    """A node, with everything that it names called otherwise."""
    if not isinstance(node.value, dict):
        return node
    rules: dict[str, Callable[[Located], Located]] = {
        "model": lambda one: one if "{" in str(one.value) else _text(one, to.model),
        "parser": lambda one: _text(one, to.parser),
        "when": lambda one: _keys(one, to.node),
        "for_each": lambda one: _values(one, to.node),
        "args": lambda one: _values(one, to.node),
        "names": lambda one: _values(one, to.node),
        "model_names": lambda one: _values(one, to.model),
    }
    return _ruled(node, rules)


def loop_renamed(
    loop: Located, to: Renames, members: Callable[[Located], list[Located]]
) -> Located:
    """A loop; `members` gives what runs for one of its nodes. `carry` is left as it is.

    What is remembered of a part is its output, as it is for whatever else reads the part.
    """
    if not isinstance(loop.value, dict):
        return loop

    def nodes(one: Located) -> Located:
        return listing(one, [new for item in one.items for new in members(item)])

    rules: dict[str, Callable[[Located], Located]] = {
        "nodes": nodes,
        "history": lambda one: listing(one, [edge_renamed(item, to.node) for item in one.items]),
        "until": lambda one: _keys(one, to.node),
        "over": lambda one: _text(one, to.node),
    }
    return _ruled(loop, rules)


def edge_renamed(edge: Located, rename: Rename) -> Located:
    """An edge, or whatever else of a text that has names in it."""
    if not isinstance(edge.value, str):
        return edge
    changes = []
    for found in NAME.finditer(edge.value):
        new = rename(found[0], edge, found.span())
        if new != found[0]:
            changes.append((found.start(), found.end(), new))
    return rewrite(edge, changes)


@dataclass(frozen=True)
class End:
    """A name in an edge, and where."""

    name: str
    within: tuple[int, int]


def ends(edge: Located) -> tuple[list[End], list[End]] | None:
    """The parents and the children of an edge; None where it is no edge."""
    if not isinstance(edge.value, str) or edge.value.count(ARROW) != 1:
        return None
    left, _, _ = edge.value.partition(ARROW)
    found = [End(m[0], m.span()) for m in NAME.finditer(edge.value)]
    middle = len(left)
    return [e for e in found if e.within[0] < middle], [e for e in found if e.within[0] > middle]


def without(edge: Located, gone: Callable[[End, bool], bool]) -> Located | None:
    """An edge without some of its ends (given with whether each is a parent); None: none is left.

    The rest keeps its place.
    """
    both = ends(edge)
    assert both is not None
    assert isinstance(edge.value, str)
    changes = []
    for several, parents in zip(both, (True, False), strict=True):
        kept = [end for end in several if not gone(end, parents)]
        if not kept:
            return None
        if len(kept) < len(several):
            first, last = several[0].within[0], several[-1].within[1]
            changes.append((first, kept[0].within[0], ""))
            for one, other in pairwise(kept):
                if several.index(other) > several.index(one) + 1:
                    changes.append((one.within[1], other.within[0], ", "))
            changes.append((kept[-1].within[1], last, ""))
    return rewrite(edge, [change for change in changes if change[0] < change[1]])


def words(node: Located) -> set[str]:
    """The words in a node's texts: every name that its templates could use is among them."""
    return {word for text in texts(node) for word in re.findall(r"\w+", str(text.value))}


def texts(node: Located) -> Iterator[Located]:
    """The templates of a node."""
    for key in ("prompt", "messages"):
        if key in node.entries:
            yield from _strings(node.entries[key].node)


def _strings(node: Located) -> Iterator[Located]:
    if isinstance(node.value, str):
        yield node
    for part in (*node.items, *(entry.node for entry in node.entries.values())):
        yield from _strings(part)


def texts_changed(node: Located, change: Callable[[Located, bool], Located]) -> Located:
    """A node with other templates; `change` is told of what is a name, not a template."""
    return _ruled(
        node, dict.fromkeys(("prompt", "messages"), lambda one: _changed(one, change, False))
    )


def _changed(node: Located, change: Callable[[Located, bool], Located], is_name: bool) -> Located:
    if isinstance(node.value, str):
        return change(node, is_name)
    if isinstance(node.value, list):
        return listing(node, [_changed(item, change, is_name) for item in node.items])
    if isinstance(node.value, dict):
        inner = {
            name: entry
            if name == "role"
            else Entry(entry.key, _changed(entry.node, change, is_name or name in _NAMING))
            for name, entry in node.entries.items()
        }
        return mapping(node, inner)
    return node


def _ruled(node: Located, rules: dict[str, Callable[[Located], Located]]) -> Located:
    entries = {
        key: Entry(entry.key, rules[key](entry.node)) if key in rules else entry
        for key, entry in node.entries.items()
    }
    return mapping(node, entries)


def _text(node: Located, rename: Rename) -> Located:
    if not isinstance(node.value, str):
        return node
    new = rename(node.value, node, (0, len(node.value)))
    return node if new == node.value else rewrite(node, [(0, len(node.value), new)])


def _values(node: Located, rename: Rename) -> Located:
    if not isinstance(node.value, dict):
        return node
    return mapping(
        node, {k: Entry(entry.key, _text(entry.node, rename)) for k, entry in node.entries.items()}
    )


def _keys(node: Located, rename: Rename) -> Located:
    if not isinstance(node.value, dict):
        return node
    found = {}
    for name, entry in node.entries.items():
        new = rename(name, entry.key, (0, len(name)))
        found[new] = Entry(entry.key if new == name else scalar(entry.key, new), entry.node)
    return mapping(node, found)
