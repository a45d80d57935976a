"""Verdicts on disk, so that no comparison is asked about twice."""

import hashlib
import json
import os
from pathlib import Path
from typing import cast, get_args

from sysgraph_schemas.bounded import read_bounded

from ...support.errors import InputError, RunError
from ...support.progress import Reporter
from .base import Comparison, Verdict

_MAX_BYTES = 1 << 28
"""Bytes of a file of verdicts: three million of them."""


class VerdictCache:
    """A file of verdicts by key, one a line. Several processes may add to it at once.

    Raises:
        InputError: the file's folder cannot be made.
    """

    def __init__(self, file: Path, reporter: Reporter) -> None:
        self.file = file
        self._reporter = reporter
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {file.parent}: {error.strerror}") from error

    def read(self) -> dict[str, Verdict]:
        """What is there; lines that hold no verdict, as a crash leaves them, are told and left out.

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
        found = [entry for line in lines if (entry := _entry(line)) is not None]
        if len(found) < len(lines):
            self._reporter.line(
                f"warning: {self.file}: {len(lines) - len(found)} of {len(lines)} lines hold no "
                "verdict and are left out: what they were about is asked again"
            )
        return dict(found)

    def add(self, key: str, verdict: Verdict) -> None:
        """Appends one.

        Raises:
            RunError: it cannot be written.
        """
        # Begun with its line break, no line is lost to one that was cut short before it; in a
        # single write, no line of another process comes between.
        line = "\n" + json.dumps({"key": key, "verdict": verdict})
        try:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RunError(f"cannot write {self.file}: {error.strerror}") from error


def _entry(line: bytes) -> tuple[str, Verdict] | None:
    """A key and its verdict; None if that is not what the line holds."""
    try:
        row = json.loads(line)
        key, verdict = row["key"], row["verdict"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    sound = isinstance(key, str) and isinstance(verdict, str) and verdict in get_args(Verdict)
    return (key, cast("Verdict", verdict)) if sound else None


def key_of(identity: str, comparison: Comparison) -> str:
    """The name of a comparison, in this order, by the judge that `identity` stands for."""
    parts = [identity, dict(comparison.inputs), comparison.a, comparison.b]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
