"""The files of a collection: in one folder, whole or by shards that were collected apart."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..support.errors import InputError, Interrupted, RunError
from ..support.files import claimed, made
from .images import FOLDER

SETTINGS, TRACES, PAIRS = "collect.json", "traces.jsonl", "pairs.jsonl"
PAGE = "compare.html"
_DRAWN = re.compile(r"[0-9a-f]{32,}\.(png|safetensors)")
_SUFFIX = re.compile(r"-(\d{5})-of-(\d{5})")


@dataclass(frozen=True)
class Shard:
    """Every `count`-th input, from the `number`-th on: no two shards share one.

    >>> Shard(2, 3).of("abcdefgh")
    'beh'
    >>> Shard(2, 3).file("pairs.jsonl")
    'pairs-00002-of-00003.jsonl'
    >>> Shard().file("pairs.jsonl")
    'pairs.jsonl'
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard that `i/n` names.

        Raises:
            InputError: there is none.
        """
        match = re.fullmatch(r"([1-9]\d{0,4})/([1-9]\d{0,4})", text)
        shard = cls(*map(int, match.groups())) if match else None
        if shard is None or shard.number > shard.count:
            raise InputError(f"no shard {text!r}; expected I/N with I from 1 to N, as in 2/4")
        return shard

    @property
    def places(self) -> slice:
        """Where its inputs are among all."""
        return slice(self.number - 1, None, self.count)

    def file(self, name: str) -> str:
        """What a file of the collection is called in this shard."""
        if self.count == 1:
            return name
        stem, _, suffix = name.partition(".")
        return f"{stem}-{self.number:05d}-of-{self.count:05d}.{suffix}"


def settings_files(folder: Path) -> list[Path]:
    """The files with the settings of what was collected in a folder, one a shard."""
    stem, _, suffix = SETTINGS.partition(".")
    return [
        path
        for path in sorted(folder.glob(f"{stem}*.{suffix}"))
        if path.stem == stem or _SUFFIX.fullmatch(path.stem.removeprefix(stem))
    ]


def pair_files(folder: Path) -> list[Path]:
    """The files of pairs in a folder; none if nothing was collected there.

    Raises:
        InputError: a shard is not finished.
    """
    settings = settings_files(folder)
    if not settings:
        return []
    match = _SUFFIX.search(settings[0].stem)
    count = int(match[2]) if match else 1
    files = [folder / Shard(number, count).file(PAIRS) for number in range(1, count + 1)]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise InputError(
            f"{folder} holds a collection that is not finished: no {', '.join(missing)}. Call "
            f"`sysgraph collect` again as it was called, or give the files that are there"
        )
    return files


@dataclass(frozen=True)
class ShardFiles:
    """The files of one shard in the folder of a collection."""

    folder: Path
    shard: Shard

    @property
    def settings(self) -> Path:
        """What decides the traces."""
        return self.folder / self.shard.file(SETTINGS)

    @property
    def traces(self) -> Path:
        """Every trace with its score, as they come."""
        return self.folder / self.shard.file(TRACES)

    @property
    def pairs(self) -> Path:
        """The pairs, when all traces are there."""
        return self.folder / self.shard.file(PAIRS)

    @property
    def page(self) -> Path:
        """The page on which traces are compared by hand."""
        return self.folder / self.shard.file(PAGE)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Makes the folder, and keeps other processes from this shard until the block ends.

        Raises:
            InputError: another process has it, it cannot be written, or a link leads out of it.
        """
        with made(self.folder), claimed(self.traces):
            for path in (
                self.settings,
                self.traces,
                self.pairs,
                self.page,
                self.folder / FOLDER,
            ):
                if path.is_symlink():
                    raise InputError(
                        f"{path} is a link: collecting writes in its own folder alone; put there "
                        "what it leads to, or choose another --output"
                    )
            yield

    @contextlib.contextmanager
    def undone_if_empty(self) -> Iterator[None]:
        """Where the block fails before a trace is written, nothing is left of a new shard.

        Raises:
            RunError: it fails later.
            Interrupted: it is interrupted.
        """
        before = self._size()
        try:
            yield
        except (KeyboardInterrupt, InputError, RunError, OSError) as error:
            if not self._size():
                for path in (self.traces, self.settings):
                    path.unlink(missing_ok=True)
            if isinstance(error, InputError) and self._size() <= before:
                raise
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(f"interrupted; {_AGAIN}") from None
            raise RunError(f"{error}\n{_AGAIN}") from error

    def _size(self) -> int:
        return self.traces.stat().st_size if self.traces.is_file() else 0


_AGAIN = "call `sysgraph collect` again as it was called: it goes on where it was"


def clear(folder: Path) -> None:
    """Removes the files of a collection, and no others."""
    stems = [name.partition(".") for name in (PAIRS, PAGE, TRACES, SETTINGS)]
    for path in sorted(folder.iterdir()):
        for stem, _, suffix in stems:
            rest = path.name.removeprefix(stem).removesuffix(f".{suffix}")
            whole = path.name in (f"{stem}.{suffix}", f"{stem}{rest}.{suffix}")
            if whole and (not rest or _SUFFIX.fullmatch(rest)) and not path.is_dir():
                path.unlink()
    images = folder / FOLDER
    if images.is_dir() and not images.is_symlink():
        for path in images.iterdir():
            if _DRAWN.fullmatch(path.name):
                path.unlink()
        with contextlib.suppress(OSError):  # something else is in it
            images.rmdir()
