"""The parts of a graph as frames: `solve.draft` and `solve.answer` are in the frame `solve`."""

from collections.abc import Iterator, Sequence

from .clean import line
from .spec import Box, Frame


def frames_of(boxes: Sequence[Box]) -> tuple[Frame, ...]:
    """A frame for each part that has a box of its own, outer ones first."""
    names = {node for box in boxes for node in box.nodes}
    homes = {box.id: _home(box.nodes, names) for box in boxes}
    parts = dict.fromkeys(part for home in homes.values() for part in _around(home))
    ids = {part: f"f{index}" for index, part in enumerate(sorted(parts, key=_depth))}
    return tuple(
        Frame(
            id=ids[part],
            title=line(part.rpartition(".")[2]),
            parent=ids.get(part.rpartition(".")[0]),
            boxes=tuple(box for box, home in homes.items() if home == part),
            nodes=tuple(node for b in boxes for node in b.nodes if node.startswith(f"{part}.")),
        )
        for part in ids
    )


def inner_title(box: Box, names: Sequence[str]) -> str:
    """What a box is called inside of its frame."""
    home = _home(box.nodes, {*names})
    return box.title.replace(f"{home}.", "") if home else box.title


def _home(nodes: Sequence[str], names: set[str]) -> str:
    """The part that all nodes of a box are in; empty outside of parts."""
    several = [_around(node.rpartition(".")[0]) for node in nodes]
    common = set.intersection(*(set(one) for one in several))
    # A field of a record is called like a node of a part: `call.query`, where `call` is a node.
    real = [part for part in common if part not in names]
    return max(real, key=len, default="")


def _around(part: str) -> tuple[str, ...]:
    """The part and those that it is in."""

    def walk() -> Iterator[str]:
        name = part
        while name:
            yield name
            name = name.rpartition(".")[0]

    return tuple(walk())


def _depth(part: str) -> int:
    return part.count(".")
