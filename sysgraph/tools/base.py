"""What a tool is, and how it is found."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from sysgraph_schemas.suggest import suggestion

from ..support.errors import InputError

GROUP = "sysgraph.tools"


class ToolError(ValueError):
    """A tool has no value for its arguments: the node's `on_failure` says what follows."""


@dataclass(frozen=True)
class Tool:
    """A deterministic function of texts.

    `call` is given a node's arguments by keyword: a text as str, a list of texts or the copies of a
    `for_each` node as list[str], settings as they are. It returns a text, or a list of texts where
    the node has `returns: list`, and raises ToolError where it has none. Equal arguments must
    give equal values: they are computed once.
    """

    name: str
    call: Callable[..., str | list[str]]


def find_tool(name: str) -> Tool:
    """The tool registered under `name`; a plain function is one of that name.

    Raises:
        InputError: there is none.
    """
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in registered:
        raise InputError(
            f"no tool is registered as {name!r}; {suggestion(name, registered, 'there are')} "
            f"(packages register them in the entry-point group {GROUP!r})"
        )
    point = registered[name]
    try:
        tool = point.load()
    except Exception as error:  # importing a package may raise anything
        raise InputError(f"tool {name!r} ({point.value}) cannot be loaded: {error}") from error
    if inspect.isroutine(tool):
        return Tool(name, tool)
    if not isinstance(tool, Tool):
        raise InputError(
            f"tool {name!r} ({point.value}) is no sysgraph.Tool and no function: {tool!r:.60}"
        )
    return tool
