"""Tools in Python files of the user's own."""

import inspect
from collections.abc import Sequence
from typing import Any

from ..support.errors import InputError
from ..support.plugin import load_file, own
from .base import Tool, has_life


def plugin_tools(files: Sequence[str]) -> dict[str, Any]:
    """The tools that Python files define, by name: functions, `Tool`s, and classes with a life.

    Raises:
        InputError: a file cannot be loaded, has no tool, or two have one of the same name.
    """
    found: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for file in files:
        tools = {}
        for name, value in own(load_file(file)).items():
            is_exception = isinstance(value, type) and issubclass(value, BaseException)
            if not is_exception and (inspect.isroutine(value) or has_life(value)):
                tools[getattr(value, "name", name) if has_life(value) else name] = value
            elif isinstance(value, Tool):
                tools[value.name] = value
        if not tools:
            raise InputError(
                f"{file} has no tool: define a function, or a class with `open` and `call`"
            )
        for name in tools:
            if name in found:
                raise InputError(f"{origin[name]} and {file} both have a tool {name!r}")
        found.update(tools)
        origin.update(dict.fromkeys(tools, file))
    return found
