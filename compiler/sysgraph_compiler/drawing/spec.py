"""A diagram as plain data: what every output format draws, and nothing else."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from .clean import line

Role = Literal["input", "trained", "frozen", "mixed", "deterministic"]
"""What a node's term is: none, trained, frozen, both (copies differ), or 0."""


Shape = Literal["pill", "box", "photo", "hexagon", "bars", "octagon", "trapezoid"]
"""How a node is computed: given, written, drawn, chosen, parsed, by a tool, or selected."""

LinkKind = Literal["value", "gate", "next", "until"]
"""A value that is read, a choice that decides whether the target runs, what a loop carries, or the
choice that says whether it has a next turn."""
BACK: frozenset[LinkKind] = frozenset(("next", "until"))
"""Arrows into the next turn."""


@dataclass(frozen=True)
class Copy:
    """One variable: a node, or one of its `for_each` copies."""

    name: str
    model: str | None
    term: str | None
    """log p_model(variable | parents), as text."""


@dataclass(frozen=True)
class Node:
    """A node of the graph file, with everything a reader may ask of it."""

    name: str
    kind: str
    role: Role
    type: str
    output: bool
    shape: Shape
    each: str | None
    """The `for_each` items, as text."""
    badge: str
    """`×3` copies, `×≤5` at most, else empty."""
    loop: str | None
    """The loop it is in."""
    turns: str
    """How often it runs in that loop: `3`, `≤3` where it may end before; else empty."""
    gates: tuple[str, ...]
    """The choices under which it runs: `route = math`."""
    options: tuple[str, ...]
    """What a choice is among."""
    tool: str | None
    """The tool's name, settings and failure policy."""
    parser: str | None
    decoding: str
    """What the node says of how it is drawn, over its model's settings."""
    prompt: str | None
    messages: tuple[tuple[str, str], ...]
    parents: tuple[str, ...]
    copies: tuple[Copy, ...]

    @cached_property
    def models(self) -> tuple[str, ...]:
        """The models of its copies, each once."""
        return tuple(dict.fromkeys(c.model for c in self.copies if c.model is not None))


@dataclass(frozen=True)
class Box:
    """A box of the picture: one node, or several that were folded into one."""

    id: str
    title: str
    subtitle: str
    badge: str
    """`×3` on a stack, else empty."""
    turns: str
    """How often it runs in its loop, as a node's; else empty."""
    items: str
    """The copies or the folded nodes, where neither title nor models tell."""
    shape: Shape
    role: Role
    models: tuple[str, ...]
    output: bool
    stacked: bool
    nodes: tuple[str, ...]

    @property
    def full_title(self) -> str:
        """The title with the part that it is in: `solve.draft`."""
        return line(self.nodes[0]) if len(self.nodes) == 1 else self.title


@dataclass(frozen=True)
class Frame:
    """A part of the graph: what is drawn in it is what its file says."""

    id: str
    title: str
    parent: str | None
    """The frame around it."""
    boxes: tuple[str, ...]
    """Those in it and in no frame inside of it."""
    nodes: tuple[str, ...]
    """All nodes in it."""


PAIRED = "1:1"
"""Each copy sees its own counterpart only, not all of them."""


@dataclass(frozen=True)
class Link:
    """An arrow, with its label: a gate's options, a loop and when it ends, or `PAIRED`."""

    source: str
    target: str
    kind: LinkKind
    label: str


@dataclass(frozen=True)
class Model:
    """An entry of the legend."""

    name: str
    what: str
    """Its id and how it trains."""


@dataclass(frozen=True)
class Diagram:
    """One picture. `links` join boxes; `nodes` and their `parents` are the whole program."""

    title: str
    description: str
    note: str
    """What was folded, or empty."""
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    models: tuple[Model, ...]
    nodes: tuple[Node, ...]
    frames: tuple[Frame, ...] = ()
    """The parts, outer ones first."""

    @cached_property
    def frame_of(self) -> dict[str, str]:
        """The frame that each box is in."""
        return {box: frame.id for frame in self.frames for box in frame.boxes}

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}
