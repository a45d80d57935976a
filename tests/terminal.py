"""A terminal that a test looks at: what a program writes to it, and what a person then sees."""

import contextlib
import os
import re
import sys
from collections.abc import Callable

import pytest

_PARTS = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Terminal:
    """What stands on a terminal of endless height after some text: of codes, those that rich uses.

    Attributes:
        cursor: whether it shows.
    """

    def __init__(self, text: str = "") -> None:
        self._rows, self._row, self._column = [""], 0, 0
        self.cursor = True
        for part in _PARTS.finditer(text):
            self._take(part.group(), part.group(1) or "", part.group(2))

    @property
    def lines(self) -> list[str]:
        """Without spaces at their ends, and empty lines at the end."""
        return "\n".join(row.rstrip() for row in self._rows).rstrip().split("\n")

    def _take(self, text: str, number: str, code: str | None) -> None:
        if text == "\r":
            self._column = 0
        elif text == "\n":
            self._row += 1
            self._rows += [""] * (self._row == len(self._rows))
        elif code is None:
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + text + row[self._column + len(text) :]
            self._column += len(text)
        elif code == "A":
            self._row = max(0, self._row - int(number or 1))
        elif code == "K":
            assert number == "2"
            self._rows[self._row] = ""
        elif number == "?25":
            self.cursor = code == "h"
        else:
            assert code == "m", f"no terminal of tests knows {text!r}"


def written(run: Callable[[], None], patch: pytest.MonkeyPatch, *, kind: str = "xterm") -> str:
    """What a terminal of a type gets as standard error while something runs."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream, patch.context() as inner:
        inner.setenv("TERM", kind)
        inner.setattr(sys, "stderr", stream)
        run()
    return _all_of(master).decode()


def _all_of(master: int) -> bytes:
    """What a terminal got until its other side closed; it arrives in parts, some time later."""
    parts = []
    with contextlib.suppress(OSError), os.fdopen(master, "rb", buffering=0) as file:  # EIO: closed
        while part := file.read(4096):
            parts.append(part)
    return b"".join(parts)
