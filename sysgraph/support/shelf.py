"""Numbers on disk by key: what was worked out once is read the next time.

A file each, there whole or not at all, so several processes may read and write at once. No pickle:
a digest, then float32 numbers. A file that is damaged is told and counts as missing.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sysgraph_schemas.bounded import read_bounded

from .errors import RunError
from .files import write_bytes
from .progress import Reporter

_BLOCK = 4096
"""Bytes that a file takes at least, on most file systems."""
_MAX_FILE = 2**26
_DIGEST = 16


class Shelf:
    """A folder of vectors of numbers.

    Args:
        folder: made with the first vector.
        most: bytes that all files may take; the longest unused go.
        reporter: told of what is damaged, and once of a folder that nothing can be written to.
    """

    def __init__(self, folder: Path, reporter: Reporter, *, most: int = 2**28) -> None:
        self.folder = folder
        self._reporter, self._most = reporter, most
        self._is_writable = True

    def get(self, key: str, count: int) -> Tensor | None:
        """The `count` numbers under a key, float32, CPU; None where they are not there."""
        path = self._path(key)
        try:
            content = read_bounded(path, _MAX_FILE)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._warn(path, getattr(error, "strerror", None) or str(error))
            return None
        digest, numbers = content[:_DIGEST], content[_DIGEST:]
        if digest != _digest(key, numbers) or len(numbers) != 4 * count:
            self._warn(path, "it is damaged")
            return None
        with suppress(OSError):  # used now: others go first
            os.utime(path)
        return torch.from_numpy(np.frombuffer(numbers, "<f4").astype(np.float32))

    def put(self, key: str, values: Tensor) -> None:
        """Keeps numbers, [N] float32; where that fails, it is told once and nothing else is."""
        if not self._is_writable:
            return
        numbers = values.detach().cpu().numpy().astype("<f4").tobytes()
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, _digest(key, numbers) + numbers)
        except (OSError, RunError) as error:
            self._is_writable = False
            self._reporter.warning(f"nothing is kept in {self.folder}: {error}")

    def tidy(self) -> None:
        """Removes the longest unused files, where all of them take too much."""
        files = sorted(self._files())
        size = sum(taken for _, taken, _ in files)
        if size <= self._most:
            return
        for _, taken, path in files:
            with suppress(OSError):  # another process was first
                path.unlink()
            size -= taken
            if size <= self._most * 3 // 4:  # so that it is not done every time
                return

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """When each file was last used, the bytes that it takes, and where it is.

        Those that a killed process left half written are among them.
        """
        for path in self.folder.rglob("*"):
            with suppress(OSError):
                about = path.stat()
                if path.is_file():
                    size = -(-about.st_size // _BLOCK) * _BLOCK
                    yield about.st_mtime_ns, size, path

    def _path(self, key: str) -> Path:
        """Folders of a few hundred files each: long lists are slow on some file systems."""
        return self.folder / key[:2] / key

    def _warn(self, path: Path, why: str) -> None:
        self._reporter.warning(f"{path} is left out, and worked out anew: {why}")


def _digest(key: str, numbers: bytes) -> bytes:
    """Of the key too: a file under another's name is damaged."""
    return hashlib.blake2b(key.encode() + numbers, digest_size=_DIGEST).digest()
