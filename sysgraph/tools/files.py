"""Files that tools read: under the graph's folder alone, and what tells their content."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sysgraph_schemas.bounded import TooBigError, read_bounded

from ..support.errors import InputError

_MOST_FILES = 100_000
_CHUNK = 1 << 20


def inside(folder: Path, given: object) -> Path:
    """The file or folder that a setting names, under `folder`.

    Raises:
        InputError: it leads out of the folder, by its name or a link, or is not there.
    """
    if not isinstance(given, str) or not given or "\0" in given:
        raise InputError(f"{given!r:.80} is no path; expected one under the graph's folder")
    root = Path(os.path.realpath(folder))
    path = Path(given)
    if path.is_absolute() or ".." in path.parts or given.startswith("~"):
        raise InputError(
            f"{given!r:.80} leads out of the graph's folder: write a path below it, without `..`"
        )
    real = Path(os.path.realpath(root / path))
    _require_inside(root, real, given)
    try:
        mode = real.stat().st_mode
    except OSError:
        raise InputError(f"there is no {given!r:.80} in {root}") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"{given!r:.80} is no file and no folder")
    return real


def files_in(folder: Path) -> Iterator[Path]:
    """The files in a folder and those below it, sorted; hidden ones are left out.

    Raises:
        InputError: a link leads out of the folder, or there are too many.
    """
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted((*names, *(f for f in folders if os.path.islink(Path(at, f))))):
            path = Path(at, name)
            if name.startswith("."):
                continue
            if path.is_symlink():
                _require_inside(folder, Path(os.path.realpath(path)), str(path))
            if not path.is_file():
                continue
            count += 1
            if count > _MOST_FILES:
                raise InputError(f"{folder} has more than {_MOST_FILES:,} files")
            yield path


def read(path: Path, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes.

    Raises:
        InputError: it is bigger, or cannot be read.
    """
    try:
        return read_bounded(path, limit)
    except TooBigError as error:
        raise InputError(f"{path} has {error}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {why}") from None


def content(path: Path) -> str:
    """A digest of a file, or of all files of a folder with their names."""
    whole = hashlib.blake2b(digest_size=16)
    if path.is_file():
        _add(whole, path)
        return whole.hexdigest()
    for file in files_in(path):
        one = hashlib.blake2b(digest_size=16)
        _add(one, file)
        whole.update(f"{file.relative_to(path).as_posix()}\0{one.hexdigest()}\n".encode())
    return whole.hexdigest()


def _add(digest: "hashlib.blake2b", path: Path) -> None:
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _require_inside(root: Path, real: Path, given: str) -> None:
    if real != root and root not in real.parents:
        raise InputError(f"{given!r:.200} is a link that leads out of {root}")
