"""A graph without parts, and what a graph that uses it must know of it."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from ..diagnostics import Path
from ..located import Entry, Located
from .names import ends


def section(root: Located, name: str) -> dict[str, Entry]:
    """The entries of a section; none where it is missing or no mapping."""
    entry = root.entries.get(name)
    return entry.node.entries if entry is not None else {}


def items(root: Located, name: str) -> list[Located]:
    """The items of a list."""
    entry = root.entries.get(name)
    return entry.node.items if entry is not None else []


def is_part(node: Located) -> bool:
    """Whether a node is `use: file`."""
    return isinstance(node.value, dict) and "use" in node.value


@dataclass
class Flat:
    """A graph file with everything in it that it is made of.

    `outputs` are its nodes by what the file calls them: a part's own output, by the part's name.
    `broken` are paths to what is missing in it because of problems that are told already.
    """

    root: Located
    outputs: dict[str, str] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)

    @cached_property
    def nodes(self) -> dict[str, Entry]:
        """By name."""
        return section(self.root, "nodes")

    @cached_property
    def models(self) -> dict[str, Entry]:
        """By name."""
        return section(self.root, "models")

    @cached_property
    def inputs(self) -> dict[str, Entry]:
        """Its inputs, by name."""
        values = {name: entry.node.value for name, entry in self.nodes.items()}
        known = [n for n, v in values.items() if isinstance(v, dict) and v.get("kind") == "input"]
        return {name: self.nodes[name] for name in known}

    @cached_property
    def parents(self) -> dict[str, set[str]]:
        """The parents of each node, by its edges."""
        found: dict[str, set[str]] = {}
        for edge in items(self.root, "edges"):
            parents, children = ends(edge) or ([], [])
            for child in children:
                found.setdefault(child.name, set()).update(parent.name for parent in parents)
        return found

    @cached_property
    def firsts(self) -> set[str]:
        """Its nodes that read no other than inputs: when they do not run, none does."""
        inner = self.nodes.keys() - self.inputs.keys()
        return {name for name in inner if self.parents.get(name, set()) <= self.inputs.keys()}

    @property
    def is_read(self) -> bool:
        """Whether a parser or a tool gives its output, which may then be a record with fields."""
        nodes = [self.nodes.get(name) for name in self.outputs.values()]
        return all(entry and {"parser", "tool"} & entry.node.entries.keys() for entry in nodes)

    def knows(self, name: str) -> bool:
        """Whether it has a node of this name, or one that this is a field of."""
        heads = (name[: dot.start()] for dot in re.finditer(r"\.", name))
        return name in self.nodes or any(head in self.nodes for head in heads)
