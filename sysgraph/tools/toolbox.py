"""The tools of a program, found and checked once; equal calls are computed once."""

import inspect
from collections import deque
from collections.abc import Mapping
from typing import Any

from sysgraph_compiler import Program, Variable

from ..support.errors import InputError, RunError
from .base import Tool, ToolError, find_tool

# Calls whose values are kept.
_KEPT = 10_000
# Programs whose tools are kept: one is in use at a time, a study has a few.
_PROGRAMS = 4

Argument = str | list[str] | dict[str, str | list[str]]
Arguments = Mapping[str, Argument]
Answer = str | tuple[str, ...]


class Toolbox:
    """The tools of a program.

    Raises:
        InputError: a tool is not registered, cannot be loaded or does not take a node's arguments.
    """

    def __init__(self, program: Program) -> None:
        self._tools: dict[str, Tool] = {}
        self._known: dict[str, Answer | ToolError] = {}
        for variable in program.variables:
            if variable.tool is not None:
                name = variable.tool.name
                self._tools.setdefault(name, find_tool(name))
                _check_signature(self._tools[name], variable)

    def call(self, variable: Variable, arguments: Arguments) -> Answer:
        """The value of a tool's variable.

        Args:
            arguments: what its parents give; its settings are added.

        Raises:
            ToolError: the tool says that it has no value.
            RunError: it raised anything else, or returned what the node does not take.
        """
        assert variable.tool is not None
        given: dict[str, Any] = {**arguments, **variable.tool.settings}
        key = repr((variable.tool.name, variable.type, sorted(given.items())))
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self._run(self._tools[variable.tool.name], variable, given)
        found = self._known[key]
        if isinstance(found, ToolError):
            raise found
        return found

    def _run(self, tool: Tool, variable: Variable, given: dict[str, Any]) -> Answer | ToolError:
        try:
            value = tool.call(**given)
        except ToolError as error:
            return error
        except Exception as error:  # a tool may raise anything
            raise RunError(
                f"{described(variable, given)} raised {type(error).__name__}: {error}"
            ) from error
        if variable.type == "text" and isinstance(value, str):
            return value
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if variable.type == "list[text]" and is_list:
            return tuple(value)
        wanted = "a text" if variable.type == "text" else "a list of texts"
        raise RunError(f"{described(variable, given)} returned {value!r:.60}; expected {wanted}")


def toolbox_of(program: Program) -> Toolbox:
    """The program's tools: the same ones for every system and every file that is read for it.

    Raises:
        InputError: as for `Toolbox`.
    """
    for known, toolbox in _recent:
        if known is program:
            return toolbox
    toolbox = Toolbox(program)
    _recent.append((program, toolbox))
    return toolbox


_recent: deque[tuple[Program, Toolbox]] = deque(maxlen=_PROGRAMS)


def described(variable: Variable, given: Mapping[str, Any]) -> str:
    """The call, for messages: the tool, its node and its arguments, shortened."""
    assert variable.tool is not None
    arguments = ", ".join(f"{name}={value!r:.60}" for name, value in given.items())
    return f"tool {variable.tool.name!r} (node {variable.name}), called with {arguments},"


def _check_signature(tool: Tool, variable: Variable) -> None:
    assert variable.tool is not None
    names = [*variable.tool.arguments, *variable.tool.settings]
    try:
        signature = inspect.signature(tool.call)
    except (TypeError, ValueError):  # some functions of C have none: calling them will tell
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise InputError(
            f"tool {tool.name!r} does not take what node {variable.node} gives it "
            f"({', '.join(names) or 'nothing'}): {error}; it takes {signature}"
        ) from error
