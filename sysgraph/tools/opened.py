"""A tool, open: with its settings, and with a fingerprint of what decides its values."""

import copy
import hashlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysgraph_compiler import Variable

from ..support.errors import InputError
from .base import Tool, has_life
from .calls import Outcome, each, in_batch
from .files import content, inside

Fingerprint = dict[str, Any]
"""What decides a tool's values, as JSON: its name, version, settings, and what its files hold."""


@dataclass(frozen=True)
class Prepared:
    """A tool for a node, with its settings made out and not open yet."""

    node: str
    name: str
    tool: Any
    settings: Mapping[str, Any]
    fingerprint: Fingerprint

    def open(self) -> "Opened":
        """It, ready to be called.

        Raises:
            InputError: its settings, or what they name, are wrong.
        """
        if not has_life(self.tool):
            return Opened(self.tool.call, self.tool.at_once, self.settings, None)
        own = self.tool() if isinstance(self.tool, type) else copy.copy(self.tool)
        try:
            own.open(**self.settings)
        except InputError as error:
            raise InputError(f"tool {self.name!r} (node {self.node}): {error}") from error
        except Exception as error:  # a tool may raise anything
            raise InputError(
                f"tool {self.name!r} (node {self.node}) cannot be opened: "
                f"{type(error).__name__}: {error}"
            ) from error
        return Opened(own.call, getattr(own, "at_once", None), {}, own)


@dataclass(frozen=True)
class Opened:
    """What is called. `at_once` None: with many rows at once, each argument a list of theirs."""

    call: Any
    at_once: int | None
    constants: Mapping[str, Any]
    own: Any

    def __call__(self, rows: Sequence[dict[str, Any]], timeout: float | None) -> list[Outcome]:
        """What each row's arguments give, in order; an exception where they give nothing."""
        if self.at_once is None:
            return in_batch(self.call, rows, timeout=timeout)
        calls = [lambda row=row: self.call(**row, **self.constants) for row in rows]
        return each(calls, at_once=self.at_once, timeout=timeout)

    def close(self) -> None:
        """Lets go of what it holds; what goes wrong there is told."""
        try:
            getattr(self.own, "close", lambda: None)()
        except Exception as error:  # a tool may raise anything
            name = type(self.own).__name__
            print(
                f"warning: closing the tool {name}: {type(error).__name__}: {error}",
                file=sys.stderr,
            )


def prepared(tool: Any, variable: Variable, folder: Path) -> Prepared:
    """The tool of a node: whether it takes what the node gives, and what its files hold.

    Args:
        folder: where paths in its settings start.

    Raises:
        InputError: it does not, or a path is wrong.
    """
    spec = variable.tool
    assert spec is not None
    _require_takes(tool, variable)
    _require_returns(tool, variable)
    settings: dict[str, Any] = dict(spec.settings)
    files: dict[str, str] = {}
    for setting in getattr(tool, "paths", ()):
        if setting not in settings:
            continue
        try:
            path = inside(folder, settings[setting])
            files[setting] = content(path)
        except InputError as error:
            where = f"tool {spec.name!r} (node {variable.node}): settings.{setting}"
            raise InputError(f"{where}: {error}") from error
        settings[setting] = path
    fingerprint: Fingerprint = {"tool": spec.name, "version": _version(tool)}
    if spec.settings:
        fingerprint["settings"] = dict(spec.settings)
    if files:
        fingerprint["files"] = files
    return Prepared(variable.node, spec.name, tool, settings, fingerprint)


def _version(tool: Any) -> str:
    """What it says of itself, else a digest of its source."""
    if said := getattr(tool, "version", ""):
        return str(said)
    what = tool.call if isinstance(tool, Tool) else tool if isinstance(tool, type) else type(tool)
    try:
        source = inspect.getsource(what)
    except (OSError, TypeError):  # made by `exec`, or in C
        return getattr(what, "__qualname__", type(what).__name__)
    return hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _require_takes(tool: Any, variable: Variable) -> None:
    spec = variable.tool
    assert spec is not None
    arguments, settings = list(spec.arguments), list(spec.settings)
    if not has_life(tool):
        _bind(tool.call, [*arguments, *settings], variable)
        return
    _bind(tool.open, settings, variable, of_class=isinstance(tool, type), what="settings")
    _bind(tool.call, arguments, variable, of_class=isinstance(tool, type))


def _bind(
    function: Any,
    names: Sequence[str],
    variable: Variable,
    *,
    of_class: bool = False,
    what: str = "",
) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C have none: calling them will tell
        return
    if of_class:  # without `self`
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        assert variable.tool is not None
        of = f"the {what} that" if what else "what"
        raise InputError(
            f"tool {variable.tool.name!r} does not take {of} node {variable.node} gives it "
            f"({', '.join(names) or 'nothing'}): {error}; it takes {_shown(signature)}"
        ) from error


def _shown(signature: inspect.Signature) -> str:
    return str(signature.replace(return_annotation=inspect.Signature.empty))


def _require_returns(tool: Any, variable: Variable) -> None:
    """Refuses a node that says it gets another type than the tool declares."""
    words = {"text": "text", "list[text]": "list", "choice": "choice", "record": "record"}
    declared, said = getattr(tool, "returns", None), words[variable.type]
    if declared is not None and declared != said:
        assert variable.tool is not None
        raise InputError(
            f"tool {variable.tool.name!r} gives a {declared}, and node {variable.node} has "
            f"`returns: {said}`: write `returns: {declared}`"
        )
