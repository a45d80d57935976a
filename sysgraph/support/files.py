"""Files that are there whole or not at all, and files that one process writes at a time."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import InputError, RunError

_LONGEST = 200
"""Bytes of a component: file systems take 255, and something is added to most of them."""


def component(name: str) -> str:
    """What a file or folder is called after `name`: one component of a path, whatever the name is.

    >>> component("three pictures"), component("../../evil"), component("..")
    ('three-pictures', 'evil', 'unnamed')
    """
    plain = re.sub(r"[^\w.-]+", "-", name).lstrip(".-")
    short = plain.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore").rstrip(".")
    return short or "unnamed"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new, never a part.

    It is staged beside the target, flushed and renamed. What is no regular file (a device, a pipe)
    is written to, and a link is followed.

    Raises:
        RunError: the file cannot be written there.
    """
    staged: Path | None = None
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", delete=False
        ) as file:
            staged = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.chmod(0o666 & ~_umask())
        staged.replace(path)
        flush(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if staged is not None:
            staged.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode())


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object in a file that sysgraph wrote.

    Args:
        remedy: what to do where it is damaged, as the end of a sentence.

    Raises:
        InputError: it cannot be read, or holds no JSON object.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {remedy}") from None
    except RecursionError:
        raise damaged(path, "it is nested too deeply", remedy) from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise damaged(path, f"{error}"[:200], remedy) from None
    if not isinstance(found, dict):
        raise damaged(path, "it holds no JSON object", remedy)
    return found


def damaged(path: Path, why: str, remedy: str) -> InputError:
    """The error about a file that is not what sysgraph wrote."""
    return InputError(f"{path} is damaged: {why}; {remedy}")


@contextlib.contextmanager
def claimed(path: Path, *, wait: float = 0) -> Iterator[None]:
    """Keeps every other process that asks from `path`, a file or folder, until the block ends.

    A hidden file is locked, in a folder or beside a file. The lock ends with the process that holds
    it, however that ends.

    Args:
        wait: seconds to wait for another process.

    Raises:
        InputError: another process has it, or nothing can be written there.
    """
    from filelock import FileLock, Timeout

    file = path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock")
    lock = FileLock(file)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise InputError(f"another process is writing {path}: wait for it, or stop it") from None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    try:
        yield
    finally:
        # Before it is released: who opened it meanwhile finds that it is gone, and opens a new one.
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()


@contextlib.contextmanager
def made(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Makes a folder; removed again where the block fails and has left nothing in it.

    Args:
        new: nothing may be there yet.

    Raises:
        FileExistsError: it is not new.
        InputError: it cannot be made.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    try:
        folder.mkdir(exist_ok=not new)
    except OSError as error:
        if new and isinstance(error, FileExistsError):
            raise
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something is in it
            for path in missing:
                path.rmdir()
        raise


def is_free(folder: Path) -> bool:
    """Whether nothing is there; hidden files, as stopped processes leave them, count as nothing."""
    if not folder.exists():
        return not folder.is_symlink()
    return folder.is_dir() and all(path.name.startswith(".") for path in folder.iterdir())


def flush(path: Path) -> None:
    """Waits until a file's content, or a folder's list of files, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
