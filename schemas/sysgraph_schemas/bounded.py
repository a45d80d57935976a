"""Files that somebody else made, read whole: only what is a file, and only up to a size."""

import os
import select
import stat
from pathlib import Path

_WRITER = 5000
"""Milliseconds that a named pipe waits for whoever writes into it."""

_KINDS = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


class OutsideError(ValueError):
    """A file lies outside of the folder that it must be in."""


class TooBigError(ValueError):
    """A file has more bytes than it may have."""


def read_bounded(path: Path, limit: int, *, pipes: bool = False) -> bytes:
    """The content of a file of at most `limit` bytes; no more is ever read.

    Args:
        pipes: whether a pipe, as a shell makes one of `<(...)`, is read to its end, too.

    Raises:
        OSError: there is no such file, or it may not be read.
        TooBigError: it is bigger.
        ValueError: it is a device, a pipe or a socket, or no name of a file.
    """
    # Before it is opened, as opening a device can do something; and after, as another file may
    # have taken its place.
    _refuse(os.stat(path).st_mode, pipes)
    # Without waiting: opening a pipe would last until somebody writes into it.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        _refuse(found.st_mode, pipes)
        if found.st_size > limit:
            raise TooBigError(f"{found.st_size:,} bytes; expected at most {limit:,}")
        start = _started(file.fileno()) if stat.S_ISFIFO(found.st_mode) else b""
        content = start + file.read(limit + 1 - len(start))
    if len(content) > limit:
        raise TooBigError(f"more than {limit:,} bytes; expected at most that")
    return content


def read_within(folder: Path, relative: str, limit: int) -> bytes:
    """The content of a regular file in `folder` or below; nothing outside of it is ever opened.

    Links are followed as long as they lead to a place in the folder.

    Raises:
        OSError: there is no such file, or it may not be read.
        OutsideError: a link leads out of the folder.
        TooBigError: it is bigger than `limit` bytes.
        ValueError: it is no regular file, or no name of a file.
    """
    root, real = os.path.realpath(folder), os.path.realpath(folder / relative)
    if os.path.commonpath([root, real]) != root:
        raise OutsideError("a link leads out of the folder")
    *above, name = os.path.relpath(real, root).split(os.sep)
    # Step by step and without following links: one may have been put there since.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    at = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for step in above:
            inner = os.open(step, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        _refuse_all_but_files(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
        with open(os.open(name, flags | os.O_NONBLOCK, dir_fd=at), "rb") as file:
            _refuse_all_but_files(os.fstat(file.fileno()).st_mode)
            content = file.read(limit + 1)
    finally:
        os.close(at)
    if len(content) > limit:
        raise TooBigError(f"more than {limit:,} bytes; expected at most that")
    return content


def _refuse_all_but_files(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else _KINDS.get(stat.S_IFMT(mode), "a link")
        raise ValueError(f"{kind}, not a file")


def _refuse(mode: int, pipes: bool) -> None:
    kind = _KINDS.get(stat.S_IFMT(mode))
    if kind is not None and not (pipes and stat.S_ISFIFO(mode)):
        raise ValueError(f"{kind}, not a file")


def _started(descriptor: int) -> bytes:
    """What a pipe begins with, however long its writer takes; from here on, reading waits."""
    try:
        start = os.read(descriptor, 1)
        if not start:  # nobody has it open for writing: not yet, or no more
            pipe = select.poll()
            pipe.register(descriptor, select.POLLIN)
            if not pipe.poll(_WRITER):
                raise ValueError("a pipe that nothing is written into")
    except BlockingIOError:
        start = b""
    os.set_blocking(descriptor, True)
    return start
