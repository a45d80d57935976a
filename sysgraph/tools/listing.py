"""The tools that there are, for people."""

import inspect
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from ..support.errors import InputError
from .base import GROUP, find_tool, has_life

_PARAGRAPH = "\n\n"


def told(own: Mapping[str, Any]) -> Iterator[str]:
    """Each tool with its arguments, settings, what it returns, and what it says of itself.

    Args:
        own: tools besides those that packages register.
    """
    for name in sorted({*own, *entry_points(group=GROUP).names}):
        try:
            yield _told(name, find_tool(name, own))
        except InputError as error:
            yield f"{name}\n    {error}"


def _told(name: str, tool: Any) -> str:
    is_class = isinstance(tool, type)
    arguments = _parameters(tool.call, without_self=is_class)
    lines = [f"{name}: {_returned(tool)}"]
    lines.append(f"    args: {', '.join(arguments) or 'any'}")
    if has_life(tool):
        settings = _parameters(tool.open, without_self=is_class)
        paths = [f"{path} (a path)" for path in tool.paths] if getattr(tool, "paths", ()) else []
        named = [s for s in settings if s.partition("=")[0] not in getattr(tool, "paths", ())]
        lines.append(f"    settings: {', '.join([*paths, *named]) or 'none'}")
        what = tool if is_class else type(tool)
    else:
        what = tool.call
    said = inspect.getdoc(what) or ""
    lines.append(f"    {' '.join(said.partition(_PARAGRAPH)[0].split())}")
    return "\n".join(lines).rstrip()


def _returned(tool: Any) -> str:
    declared = getattr(tool, "returns", None)
    return f"returns: {declared}" if declared else "returns what its node says"


def _parameters(function: Any, *, without_self: bool) -> list[str]:
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):  # some functions of C have none
        return []
    return [
        p.name if p.default is p.empty else f"{p.name}={p.default}"
        for p in parameters[1 if without_self else 0 :]
    ]
