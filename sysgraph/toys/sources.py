"""The inputs of all toy worlds, by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sysgraph.toys import office, progression, specialists
from sysgraph.toys.recipe import PREFIX

_WORLDS: dict[str, Callable[[str], Sequence[Mapping[str, Any]]]] = {
    "specialists": specialists.inputs,
    "progression": progression.inputs,
    "retouch": progression.photos,
    **{name: partial(office.inputs, name) for name in office.SOURCES},
}
SOURCES = tuple(f"{PREFIX}{world}/{split}" for world in _WORLDS for split in ("train", "test"))


def inputs(source: str) -> list[dict[str, Any]]:
    """The rows of `toy:WORLD/train` or `toy:WORLD/test`, as that world's `inputs` describes them.

    Raises:
        ValueError: an unknown source.
    """
    if source not in SOURCES:
        raise ValueError(f"unknown toy inputs {source!r}; there are {', '.join(SOURCES)}")
    world, _, split = source.removeprefix(PREFIX).partition("/")
    return [dict(row) for row in _WORLDS[world](split)]
