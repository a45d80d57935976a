"""What a stopped command has of a file so far: a folder beside it, from which it goes on."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..support.changes import changes, listed
from ..support.errors import InputError, Interrupted, RunError
from ..support.files import claimed, damaged, flush, is_free, made, read_json, write_text

_ANEW = "add --overwrite to start anew"


@dataclass(frozen=True)
class Partial:
    """A file that is written row by row, and is there when it is whole.

    Until then its rows are JSON Lines in the folder `NAME.partial` beside it, with what decides
    them: a command that was stopped, however that was, goes on after the last whole one.
    """

    file: Path

    @property
    def folder(self) -> Path:
        """Where the rows are until they are all there."""
        return self.file.with_name(f"{self.file.name}.partial")

    @property
    def rows(self) -> Path:
        """The rows so far, one a line."""
        return self.folder / "rows.jsonl"

    @property
    def settings(self) -> Path:
        """What decides the rows."""
        return self.folder / "settings.json"

    def require(self, *, resume: bool, overwrite: bool) -> None:
        """Refuses to start where something is there, or to resume where nothing is.

        Raises:
            InputError: so it is.
        """
        for path in (self.folder, self.rows, self.settings):
            if path.is_symlink():
                raise InputError(f"{path} is a link: remove it, or choose another --output")
        if not is_free(self.folder) and not self.settings.is_file():
            raise InputError(f"{self.folder} is in the way: move it, or choose another --output")
        stopped = self.settings.is_file()
        if resume and not stopped:
            if self.file.exists():
                raise InputError(f"nothing to resume: {self.file} is whole")
            raise InputError(f"nothing to resume: there is no {self.folder}; leave out --resume")
        if resume or overwrite:
            return
        if stopped and self._has_rows():
            raise InputError(
                f"{self.folder} holds the rows of a stopped run: add --resume to go on with it, or "
                "--overwrite to start anew"
            )
        if self.file.exists():
            raise InputError(f"{self.file} exists: {_ANEW}, or choose another --output")

    @contextlib.contextmanager
    def claimed(
        self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool
    ) -> Iterator[None]:
        """Keeps other processes away; where the block fails before there is a row, nothing is left.

        Raises:
            InputError: another process writes it, or the rows there are of other settings.
            RunError: the block failed after there were rows.
            Interrupted: it was interrupted.
        """
        with made(self.folder), claimed(self.file):
            self.require(resume=resume, overwrite=overwrite)
            if resume:
                self._require_same(settings)
            else:
                self.rows.unlink(missing_ok=True)
                write_text(self.settings, json.dumps(settings, indent=2) + "\n")
            before = self._size()
            try:
                yield
            except (KeyboardInterrupt, InputError, RunError, OSError) as error:
                found = self._stopped(error, before)
                if found is error:
                    raise
                raise found from None

    def kept(self, total: int, at_once: int) -> int:
        """How many rows are there, a multiple of those that are made at once; others are cut off.

        Raises:
            InputError: there are more than `total`.
        """
        if not self.rows.is_file():
            return 0
        done = size = count = at = 0
        with self.rows.open("rb") as file:
            for line in file:
                at += len(line)
                if not line.endswith(b"\n"):
                    break
                count += 1
                if count % at_once == 0 or count == total:
                    done, size = count, at
        if count > total:
            raise damaged(self.rows, f"it has {count} rows of {total}", _ANEW)
        os.truncate(self.rows, size)
        return done

    def read(self) -> Iterator[dict[str, Any]]:
        """The rows that are there.

        Raises:
            InputError: one is none.
        """
        if not self.rows.is_file():
            return
        with self.rows.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise damaged(self.rows, f"line {number}: {error}", _ANEW) from None
                if not isinstance(row, dict):
                    raise damaged(self.rows, f"line {number} is no row", _ANEW)
                yield row

    def open(self) -> IO[str]:
        """To append rows to."""
        return self.rows.open("a", encoding="utf-8", newline="\n")

    def publish(self, convert: Callable[[Path, Path], None] | None) -> None:
        """Puts the file in its place, and removes the folder.

        Args:
            convert: makes the file (its second argument) of the rows (its first); None: it is them.
        """
        whole = self.rows
        if convert is not None:
            whole = self.folder / f"whole{self.file.suffix}"
            convert(self.rows, whole)
        flush(whole)
        whole.replace(self.file)
        flush(self.file.absolute().parent)
        self.rows.unlink(missing_ok=True)
        self.settings.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _stopped(
        self, error: KeyboardInterrupt | InputError | RunError | OSError, before: int
    ) -> Exception:
        """What to raise for what stopped the rows, of which there were `before` bytes."""
        again = f"what is done is in {self.folder}: add --resume to go on"
        empty = not self._has_rows()
        if empty:
            self.rows.unlink(missing_ok=True)
            self.settings.unlink(missing_ok=True)
            again = "nothing was written"
        if isinstance(error, KeyboardInterrupt):
            return Interrupted(f"interrupted; {again}")
        if empty or (isinstance(error, InputError) and self._size() <= before):
            return error
        if isinstance(error, OSError):
            where = error.filename or self.rows
            return RunError(f"cannot write {where}: {error.strerror}\n{again}")
        return RunError(f"{error}\n{again}")

    def _require_same(self, settings: Mapping[str, Any]) -> None:
        then = read_json(self.settings, _ANEW)
        changed = changes({name: then.get(name) for name in settings}, settings)
        if changed:
            raise InputError(
                f"{self.folder} holds rows of another run: {listed(changed)}. Put back what it "
                f"was, or {_ANEW}"
            )

    def _has_rows(self) -> bool:
        return self._size() > 0

    def _size(self) -> int:
        return self.rows.stat().st_size if self.rows.is_file() else 0
