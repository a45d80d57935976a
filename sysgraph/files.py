"""Files that are there whole or not at all, and files that one process writes at a time."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new, never a part.

    It is staged beside the target, flushed and renamed.

    Raises:
        InputError: the file cannot be written there.
    """
    staged: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            staged = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o666 & ~_umask())
        staged.replace(path)
        flush(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if staged is not None:
            staged.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Keeps every other process that asks from `path`, a file or folder, until the block ends.

    A hidden file is locked, in a folder or beside a file. The lock ends with the process that holds
    it, however that ends.

    Raises:
        InputError: another process has it, or nothing can be written there.
    """
    lock = FileLock(path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"another process is writing {path}: wait for it, or stop it") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def is_free(folder: Path) -> bool:
    """Whether nothing is there; hidden files, as stopped processes leave them, count as nothing."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())


def flush(path: Path) -> None:
    """Waits until a file's content, or a folder's list of files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
