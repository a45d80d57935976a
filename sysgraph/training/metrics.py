"""metrics.jsonl: a line per logged step, flushed as it is written.

What is not finite is null: JSON has no such numbers.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path


class MetricsFile:
    """Appends JSON lines; its size is part of a run's state, so a resumed run cuts it back.

    Args:
        path: None: of a process that writes nothing.
        readers: get every line after it is written.
    """

    def __init__(self, path: Path | None, *readers: Callable[[Mapping[str, object]], None]) -> None:
        self._path, self._readers = path, readers

    def truncate(self, size: int) -> int:
        """Drops what was written after the state that a run resumes from: the lines of it."""
        if self._path is None or not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            file.seek(size)
            dropped = file.read().count(b"\n")
        os.truncate(self._path, min(size, self._path.stat().st_size))
        return dropped

    def size(self) -> int:
        """Bytes written so far."""
        return self._path.stat().st_size if self._path is not None and self._path.exists() else 0

    def digest(self, size: int) -> str | None:
        """A digest of the first `size` bytes; None where there are fewer."""
        if self._path is None or not self._path.exists():
            return None if size else hashlib.blake2b(digest_size=16).hexdigest()
        with self._path.open("rb") as file:
            content = file.read(size)
        return (
            hashlib.blake2b(content, digest_size=16).hexdigest() if len(content) == size else None
        )

    def write(self, line: Mapping[str, object]) -> None:
        """Appends one line."""
        if self._path is None:
            return
        written = {k: _number(v) if isinstance(v, float) else v for k, v in line.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(written, allow_nan=False) + "\n")
        for read in self._readers:
            read(line)


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
