"""What a tool is, and how it is found."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from sysgraph_schemas.suggest import suggestion

from ..support.errors import InputError

GROUP = "sysgraph.tools"


class ToolError(ValueError):
    """A tool has no value for its arguments: the node's `on_failure` says what follows."""


@dataclass(frozen=True)
class Tool:
    """A deterministic function of texts.

    `call` is given a node's arguments by keyword: a text as str, a list of texts or the copies of a
    `for_each` node as list[str], settings as they are. It returns what the node `returns` (a text,
    a list of texts, one of its options, a mapping with its fields), and raises ToolError where it
    has no value. Equal arguments must give equal values: they are computed once.

    A tool with a life is a class instead, of which every node opens one:

        class Lookup:
            paths = ("words",)                  # the settings that are files or folders

            def open(self, words: Path) -> None: ...
            def call(self, word: list[str]) -> list[str]: ...
            def close(self) -> None: ...

    `open` is given the settings, `call` the arguments of many rows at once, each as a list with an
    entry a row; it gives a list of values, a ToolError standing for one that there is not. With
    `at_once = 4`, `call` is given one row, as a function is, and 4 may run at the same time.

    Attributes:
        returns: what it gives: `text`, `list`, `choice`, `record`; None: what the node says.
        paths: the settings that are files or folders. They are given as absolute paths.
        version: changes where equal arguments would have another value; empty: its source says.
        at_once: how many calls may run at the same time.
    """

    name: str
    call: Callable[..., Any]
    returns: str | None = None
    paths: tuple[str, ...] = ()
    version: str = ""
    at_once: int = 1


def find_tool(name: str, own: Mapping[str, Any] | None = None) -> Any:
    """The tool called `name`: a Tool, or a class or an object with a life.

    Args:
        own: tools that somebody gave, before those that packages register.

    Raises:
        InputError: there is none, or it is no tool.
    """
    if own and name in own:
        return as_tool(name, own[name], "as it was given")
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in registered:
        raise InputError(
            f"no tool is registered as {name!r}; {suggestion(name, registered, 'there are')} "
            f"(packages register them in the entry-point group {GROUP!r}; your own come from a "
            "file, `--plugin my_tools.py`, or in Python as `tools={...}`)"
        )
    point = registered[name]
    try:
        tool = point.load()
    except Exception as error:  # importing a package may raise anything
        raise InputError(f"tool {name!r} ({point.value}) cannot be loaded: {error}") from error
    return as_tool(name, tool, point.value)


def as_tool(name: str, given: Any, where: str) -> Any:
    """What was given as a tool; a plain function is one of that name.

    Raises:
        InputError: it is none.
    """
    if isinstance(given, Tool) or has_life(given):
        return given
    if inspect.isroutine(given):
        return Tool(name, given)
    raise InputError(
        f"tool {name!r} ({where}) is no sysgraph.Tool and no function, and has no `open` and "
        f"`call`: {given!r:.60}"
    )


def has_life(given: Any) -> bool:
    """Whether it is opened with its settings: a class or an object with `open` and `call`."""
    return callable(getattr(given, "open", None)) and callable(getattr(given, "call", None))
