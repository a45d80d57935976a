"""Images of rows: paths relative to the file that holds the rows, or encoded bytes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..support.errors import DataError
from ..traces.pictures import Picture
from .shown import BadValue, kind

FOLDER = "images"


@dataclass(frozen=True)
class ImageFiles:
    """The images that the rows of one file name; each file is decoded once.

    Args:
        folder: what their paths are relative to. A path may be absolute, or lead out of it.
    """

    folder: Path
    wanted: ClassVar[str] = "the path of an image"
    _read: dict[Path, Picture | str] = field(default_factory=dict, compare=False, repr=False)

    def picture(self, given: Any) -> Picture:
        """The image of a row's value: a path, encoded bytes, or both as `datasets` stores them.

        Rows from Python may also have `Picture`s and Pillow's images.

        Raises:
            BadValue: there is no such file, or it is no image that `decoded` takes.
        """
        if isinstance(given, Picture):
            return given
        content, path = given, given
        if is_image_column(given):
            content, path = given["bytes"], given["path"]
        if isinstance(content, bytes):
            try:
                return Picture.encoded(content)
            except ValueError as error:
                name = path if isinstance(path, str) else "the image"
                raise BadValue(f"{name}: {error}") from None
        if hasattr(given, "convert"):
            try:
                return Picture.of(given)
            except ValueError as error:
                raise BadValue(f"the image: {error}") from None
        if not isinstance(path, str) or not path:
            raise BadValue(f"expected {self.wanted}, got {kind(given)}")
        file = self.folder / path
        if file not in self._read:
            self._read[file] = _picture(file)
        found = self._read[file]
        if isinstance(found, str):
            raise BadValue(found)
        return found


def is_image_column(value: Any) -> bool:
    """Whether this is an image as `datasets` stores it, {"bytes": ..., "path": ...}."""
    return isinstance(value, Mapping) and value.keys() == {"bytes", "path"}


def written(picture: Picture, folder: Path) -> str:
    """Writes an image for a file of rows in `folder`; gives the path that its row holds.

    Equal images are one file, with the latents that they were decoded from beside it.

    Raises:
        RunError: it cannot be written there.
    """
    return picture.write(folder / FOLDER).relative_to(folder).as_posix()


def referred(picture: Picture, folder: Path) -> str:
    """As `written`; of an image that is in a file already, that file's path.

    Raises:
        RunError: it cannot be written there.
    """
    if not isinstance(picture.source, Path):
        return written(picture, folder)
    return Path(os.path.relpath(picture.source, folder)).as_posix()


def _picture(file: Path) -> Picture | str:
    """The image in a file, or what is wrong with it."""
    try:
        return Picture.read(file)
    except DataError as error:
        return error.problems[0]
