"""A folder that sysgraph wrote, and the list of its files by which it is known to be whole.

What is not on the list is not ours: it is never removed.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import damaged, read_json, write_text

MANIFEST = "manifest.json"
_FILES = "files"
_OWN = "blake2b"
"""The digest of all else that it says: what it says about the folder is on no other list."""


def write_manifest(folder: Path, about: Mapping[str, Any] | None = None) -> None:
    """Lists every file in a folder with its size and digest.

    Args:
        about: what else is to be known about the folder.
    """
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "blake2b": digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    content = {**(about or {}), _FILES: files}
    text = json.dumps({_OWN: _own_digest(content), **content}, indent=2)
    write_text(folder / MANIFEST, text + "\n")


def read_manifest(folder: Path, remedy: str) -> dict[str, Any]:
    """What `write_manifest` wrote, without a look at the files.

    Raises:
        InputError: there is none, or it is damaged.
    """
    found = read_json(folder / MANIFEST, remedy)
    own = found.pop(_OWN, None)  # of an older sysgraph: not there
    if own is not None and own != _own_digest(found):
        raise damaged(folder / MANIFEST, "it is not what was written (another digest)", remedy)
    files = found.get(_FILES)
    if not isinstance(files, dict) or not all(map(_is_inside, files)):
        raise damaged(folder / MANIFEST, "it lists no files of this folder", remedy)
    return found


def require_whole(folder: Path, remedy: str) -> dict[str, Any]:
    """The manifest of a folder, all of whose files are as they were written.

    Raises:
        InputError: a file is missing or another, by name.
    """
    found = read_manifest(folder, remedy)
    for name, wanted in found[_FILES].items():
        path = folder / name
        if not path.is_file():
            raise damaged(folder, f"{name} is missing", remedy)
        size = path.stat().st_size
        if not isinstance(wanted, dict) or size != wanted.get("size"):
            said = wanted.get("size") if isinstance(wanted, dict) else None
            raise damaged(path, f"it has {size} bytes, {said} were written", remedy)
        if digest(path) != wanted.get("blake2b"):
            raise damaged(path, "its content is not what was written (another digest)", remedy)
    return found


def is_ours(folder: Path) -> bool:
    """Whether a folder has a list of its files that can be read."""
    if folder.is_symlink():
        return False
    try:
        read_manifest(folder, "")
    except InputError:
        return False
    return True


def foreign(folder: Path) -> list[Path]:
    """The files in a folder that its manifest does not list; all of them where it has none."""
    ours = set(read_manifest(folder, "")[_FILES]) | {MANIFEST} if is_ours(folder) else set()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or not path.is_dir())
        and path.relative_to(folder).as_posix() not in ours
    ]


def remove(folder: Path, *, foreign_to: Path | None = None) -> None:
    """Removes what the manifest lists, and the folder if nothing else is in it.

    Args:
        foreign_to: a folder to which anything else is moved, where its place there is free.
    """
    listed = [folder / name for name in read_manifest(folder, "")[_FILES]]
    mine = {*listed, folder / MANIFEST}
    inside = folder.resolve()
    for path in listed:
        if path.parent.resolve().is_relative_to(inside):  # a linked folder is not ours
            path.unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside before what it is in
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
        elif foreign_to is not None and path not in mine:
            target = foreign_to / path.relative_to(folder)
            if not target.exists() and not target.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    (folder / MANIFEST).unlink(missing_ok=True)  # last: until then, this can be done again
    with contextlib.suppress(OSError):
        folder.rmdir()


def digest(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _own_digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_inside(name: str) -> bool:
    """Whether a name in a manifest, which anybody may have written, stays in its folder."""
    path = Path(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
