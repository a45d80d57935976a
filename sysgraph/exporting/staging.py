"""A new folder that is there whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from ..support.errors import InputError, RunError
from ..support.files import flush, made


def require_new(folder: Path) -> None:
    """Refuses a folder that has something in it.

    Raises:
        InputError: it has, or is none.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"cannot write {folder}: it is no folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: choose another --output, or remove it")


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write in, which takes its place when the block ends well.

    Raises:
        InputError: nothing can be written there, or something lies there already.
        RunError: the disk is full, or something has been put there meanwhile.
    """
    require_new(folder)
    with made(folder.absolute().parent):
        try:
            place = tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}") from error
        try:
            content = Path(place) / "content"  # with the usual permissions, which `place` has not
            content.mkdir()
            yield content
            for path in (*content.rglob("*"), content):
                flush(path)
            content.replace(folder)
        except (OSError, SafetensorError) as error:
            why = getattr(error, "strerror", None) or error
            raise RunError(f"cannot write {folder}: {why}") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)
