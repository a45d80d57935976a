"""What a terminal can show, and what becomes of output that nobody reads any more."""

import contextlib
import os
import sys
from typing import Any, TextIO


def has_colors(stream: TextIO | None = None) -> bool:
    """Whether a stream (default: stderr) is a terminal that wants colours (https://no-color.org)."""
    isatty = (stream or sys.stderr).isatty()
    return isatty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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
