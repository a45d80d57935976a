"""The tools of a program: found, checked and opened once; equal calls are made once."""

import json
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from sysgraph_compiler import Program, Variable

from ..support.errors import RunError
from .answers import Answer, answer
from .base import ToolError, find_tool
from .opened import Fingerprint, Opened, prepared
from .record import Record

# Calls whose values are kept, besides those that are made at once.
_KEPT = 10_000

Argument = str | list[str] | dict[str, str | list[str]]
Arguments = Mapping[str, Argument]
Call = tuple[Variable, Arguments]


class Toolbox:
    """The tools of a program, one a node; nodes with equal tools and settings share one.

    Args:
        program: whose `bound` says what tools there are besides those that packages register, and
            where paths in settings start.

    Raises:
        InputError: a tool is not registered, cannot be loaded or opened, does not take what a node
            gives it, or does not give what the node says.
    """

    def __init__(self, program: Program) -> None:
        self._open: dict[str, Opened] = {}
        self._known: dict[str, Answer | ToolError | RunError] = {}
        self.fingerprints: dict[str, Fingerprint] = {}
        """What decides the values of each tool node."""
        opened: dict[str, Opened] = {}
        weakref.finalize(self, _close, opened)
        nodes = {v.node: v for v in program.variables if v.tool is not None}
        self.folder = program.bound.folder
        """Where the paths in their settings start."""
        if not nodes:
            return
        record = Record.read(self.folder)
        self.folder = record.origin or self.folder
        for node, variable in nodes.items():
            assert variable.tool is not None
            tool = find_tool(variable.tool.name, program.bound.tools)
            ready = prepared(tool, variable, record.folder_of(node, tool))
            record.require(node, ready.fingerprint)
            key = json.dumps(ready.fingerprint, sort_keys=True)
            if key not in opened:
                opened[key] = ready.open()
            self._open[node], self.fingerprints[node] = opened[key], ready.fingerprint

    def call(self, variable: Variable, arguments: Arguments) -> Answer:
        """The value of a tool's variable.

        Args:
            arguments: what its parents give.

        Raises:
            ToolError: the tool says that it has no value, or took too long.
            RunError: it raised anything else, or returned what the node does not take.
        """
        key = _key(variable, arguments)
        if key not in self._known:
            self.call_all([(variable, arguments)])
        found = self._known[key]
        # A new one each time: a traceback would keep everything alive that its frames know.
        if isinstance(found, ToolError):
            raise ToolError(str(found))
        if isinstance(found, RunError):
            raise RunError(str(found)) from found.__cause__
        return found

    def call_all(self, calls: Iterable[Call]) -> None:
        """Makes the calls whose values are not known yet, those of one tool at once."""
        while len(self._known) > _KEPT:
            self._known.pop(next(iter(self._known)))
        groups: dict[str, dict[str, Call]] = {}
        for variable, arguments in calls:
            key = _key(variable, arguments)
            if key not in self._known:
                groups.setdefault(variable.node, {})[key] = (variable, arguments)
        for node, several in groups.items():
            variable = next(iter(several.values()))[0]
            assert variable.tool is not None
            rows = [dict(arguments) for _, arguments in several.values()]
            found = self._open[node](rows, variable.tool.timeout)
            for (key, (one, arguments)), outcome in zip(several.items(), found, strict=True):
                self._known[key] = answer(one, described(one, arguments), outcome)


def toolbox_of(program: Program) -> Toolbox:
    """The program's tools: the same ones for every system and every file that is read for it.

    Raises:
        InputError: as for `Toolbox`.
    """
    if program.bound.opened is None:
        program.bound.opened = Toolbox(program)
    found: Toolbox = program.bound.opened
    return found


def bind(program: Program, tools: Mapping[str, Any] | None) -> None:
    """Gives a program more tools, by name.

    Raises:
        InputError: as for `Toolbox`.
    """
    if tools and any(program.bound.tools.get(name) is not tool for name, tool in tools.items()):
        program.bound.tools = {**program.bound.tools, **tools}
        program.bound.opened = None
    toolbox_of(program)


def described(variable: Variable, given: Mapping[str, Any]) -> str:
    """The call, for messages: the tool, its node and its arguments, shortened."""
    assert variable.tool is not None
    arguments = ", ".join(f"{name}={value!r:.60}" for name, value in given.items())
    return f"tool {variable.tool.name!r} (node {variable.name}), called with {arguments},"


def _close(opened: Mapping[str, Opened]) -> None:
    for one in opened.values():
        one.close()


def _key(variable: Variable, arguments: Arguments) -> str:
    return repr((variable.node, sorted(arguments.items())))
