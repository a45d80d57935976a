"""What servers said, on disk, so that nothing is asked twice."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from sysgraph_schemas.bounded import read_bounded

from ...support.errors import InputError, RunError
from ...support.progress import Reporter

_MAX_BYTES = 1 << 30
"""Bytes of a file: a million texts, or ten million verdicts."""

V = TypeVar("V")


class Replies(Generic[V]):
    """A file of replies by key, one a line. Several processes may add to it at once.

    Args:
        file: where it is; its folder is made.
        what: one reply, for messages, and its name in a line.
        read: the reply that a line's value is; None where it is none.

    Raises:
        InputError: the file's folder cannot be made.
    """

    def __init__(
        self, file: Path, what: str, read: Callable[[object], V | None], reporter: Reporter
    ) -> None:
        self.file = file
        self._what, self._value, self._reporter = what, read, reporter
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {file.parent}: {error.strerror}") from error

    def read(self) -> dict[str, V]:
        """What is there; lines that hold no reply, as a crash leaves them, are told and left out.

        Raises:
            RunError: the file cannot be read, is none, or is too big.
        """
        try:
            content = read_bounded(self.file, _MAX_BYTES)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise RunError(f"cannot read {self.file}: {said}; remove it to ask anew") from None
        lines = [line for line in content.split(b"\n") if line.strip()]
        found = [entry for line in lines if (entry := self._entry(line)) is not None]
        if len(found) < len(lines):
            self._reporter.line(
                f"warning: {self.file}: {len(lines) - len(found)} of {len(lines)} lines hold no "
                f"{self._what} and are left out: what they were about is asked again"
            )
        return dict(found)

    def add(self, key: str, value: V) -> None:
        """Appends one.

        Raises:
            RunError: it cannot be written.
        """
        # Begun with its line break, no line is lost to one that was cut short before it; in a
        # single write, no line of another process comes between.
        line = "\n" + json.dumps({"key": key, self._what: value})
        try:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RunError(f"cannot write {self.file}: {error.strerror}") from error

    def _entry(self, line: bytes) -> tuple[str, V] | None:
        """A key and its reply; None if that is not what the line holds."""
        try:
            row = json.loads(line)
            key, value = row["key"], self._value(row[self._what])
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        return (key, value) if isinstance(key, str) and value is not None else None
