"""The checkpoints that exported models are on: on the Hub, elsewhere on this machine, or copied."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sysgraph_schemas.models.base import Base

from .. import toys
from ..support.errors import InputError
from ..toys.recipe import PREFIX

_NOT_COPIED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.py", ".*")
"""Pickled weights and code, which are never read, and hidden files."""


@dataclass(frozen=True)
class Place:
    """Where a base is.

    Attributes:
        name: of its folder in the export, for what is on it.
        id: what the exported graph calls it.
        said: what it was called before.
        revision: of a Hub id.
        origin: what is copied there; None: nothing is.
    """

    name: str
    id: str
    said: str
    revision: str | None = None
    origin: Path | None = None

    @property
    def hub(self) -> str | None:
        """Its id on the Hub, if it is there."""
        return self.id if self.origin is None and not Path(self.id).is_absolute() else None

    @property
    def elsewhere(self) -> str | None:
        """The folder on this machine that the export needs, if it does."""
        return self.id if self.origin is None and Path(self.id).is_absolute() else None

    def copy(self, root: Path) -> None:
        """Copies it into the export in `root`, if it is to be."""
        if self.origin is not None:
            ignored = shutil.ignore_patterns(*_NOT_COPIED)
            shutil.copytree(self.origin, root / self.name, ignore=ignored, dirs_exist_ok=True)


def plain_name(base: Base) -> str:
    """What a base's folder would like to be called."""
    return base.id.removeprefix(PREFIX).rstrip("/").rpartition("/")[2]


def place_of(base: Base, name: str, *, copied: bool) -> Place:
    """Where a base is, and what it is called from then on.

    Args:
        name: of its folder.
        copied: whether a folder of this machine is copied. A toy's always is: it is nowhere else.
    """
    if toys.is_toy(base.id):
        return Place(name, f"./{name}", base.id, origin=toys.model_folder(base.id))
    folder = Path(base.id).expanduser()
    if not folder.is_dir():
        return Place(name, base.id, base.id, base.revision)
    if copied:
        return Place(name, f"./{name}", base.id, origin=folder)
    return Place(name, str(folder.absolute()), base.id)


def require_portable(places: list[Place]) -> None:
    """Refuses what only this machine has.

    Raises:
        InputError: a base is in a folder that is not copied.
    """
    for place in places:
        if place.elsewhere is not None:
            raise InputError(
                f"{place.elsewhere} is on this machine alone: add --copy-base to have it copied"
            )
