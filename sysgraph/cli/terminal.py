"""What a terminal can show, and what it is shown.

Everything that a command prints goes through `say` and its siblings: names, rows, paths and models'
texts come from strangers, and no control character of theirs reaches the reader's terminal.
"""

import contextlib
import logging
import os
import sys
import warnings
from typing import Any, TextIO

from sysgraph_schemas.visible import visible_json, visible_lines


def say(text: str) -> None:
    """A text for people, on standard output."""
    show(visible_lines(text))


def say_json(text: str) -> None:
    """A JSON document, on standard output: of equal value, without raw control characters."""
    show(visible_json(text))


def tell(text: str) -> None:
    """What is wrong, on standard error; of lines that no one would read to the end, both ends."""
    show("\n".join(map(_cut, visible_lines(text).split("\n"))), sys.stderr)


def _cut(line: str) -> str:
    half = _LINE // 2
    return line if len(line) <= _LINE else f"{line[:half]} … {line[-half:]}"


_LINE = 2000
"""Characters of a line that is shown whole."""


def show(text: str, stream: TextIO | None = None) -> None:
    """What has been made fit for a terminal already (and may be coloured)."""
    print(text, file=stream or sys.stdout)


def has_colors(stream: TextIO | None = None) -> bool:
    """Whether a stream (default: stderr) is a terminal that wants colours (https://no-color.org)."""
    isatty = (stream or sys.stderr).isatty()
    return isatty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def tame() -> None:
    """Makes standard output take every character, and other packages' logs and warnings safe.

    Where the process was started without one, what it says goes nowhere; the next file that is
    opened would take its descriptor otherwise, and what libraries print.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a test's or a notebook's has none
            stream.reconfigure(errors="backslashreplace")
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = _warning


class _Record(logging.LogRecord):
    def getMessage(self) -> str:
        return visible_lines(super().getMessage())


_format_warning = warnings.formatwarning


def _warning(*args: Any, **kwargs: Any) -> str:
    return visible_lines(_format_warning(*args, **kwargs))


class Lasting:
    """A stream that outlives its reader: a closed pipe or terminal is no reason to end a run.

    It stands in for standard error, to which every library writes its progress and warnings.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, if anybody is there."""
        try:
            return self._stream.write(text)
        except OSError:
            give_up(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flushes, if anybody is there."""
        try:
            self._stream.flush()
        except OSError:
            give_up(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def give_up(stream: TextIO) -> None:
    """Lets what is still to be written to a stream go nowhere: Python flushes it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
