"""What a served system answered, and what people said of that, into a folder: `serve --log`."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..data.corrections import require_correction
from ..data.images import FOLDER
from ..data.logs import (
    MAX_FILE,
    Line,
    LogReader,
    answer_line,
    head_line,
    log_files,
    next_file,
    rating_line,
)
from ..data.ratings import Correction, id_of, read_rating
from ..data.traces import trace_row
from ..support.errors import InputError, RunError
from ..support.files import claimed, is_free, made
from ..support.progress import Reporter
from ..traces.trace import Trace

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)


class UnknownAnswer(InputError):
    """A rating of an answer that is not in the log."""


def require_log(program: Program, folder: Path) -> None:
    """Refuses a folder that is no place for this system's log, before anything is loaded.

    Raises:
        InputError: it holds something else, or the log of another system.
    """
    if is_free(folder):
        return
    if not folder.is_dir() or not _is_log(folder):
        raise InputError(f"{folder} exists and holds no log: choose another --log")
    if (folder / FOLDER).is_symlink():
        raise InputError(f"{folder / FOLDER} is a link: choose another --log")
    try:
        if log_files(folder):
            LogReader(program, folder)
    except InputError as error:
        raise InputError(f"{error}. Choose another --log") from None


class Log:
    """A folder that one server writes: see `sysgraph.data.logs`. Any thread may call it.

    Args:
        reporter: told of what cannot be written.
        now: the time, for tests.
    """

    def __init__(
        self,
        program: Program,
        folder: Path,
        reporter: Reporter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._program, self._folder = program, folder
        self._weights: Mapping[str, Any] = {}
        self._reporter, self._now = reporter, now
        self._lock = threading.Lock()
        self._file: int | None = None
        self._day, self._size = "", 0
        self._choices = _known(program, folder)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, program: Program, folder: Path, reporter: Reporter) -> Iterator["Log"]:
        """The log in a folder, from which other servers are kept until the block ends.

        Nothing that the models are has to be known yet: see `answered_by`.

        Raises:
            InputError: another one has it, or it is no place for this log.
        """
        require_log(program, folder)
        is_new = not folder.exists()
        with made(folder), claimed(folder):
            if is_new:
                folder.chmod(0o700)  # what people ask is theirs
            log = cls(program, folder, reporter)
            try:
                yield log
            finally:
                log.close()

    def answered_by(self, weights: Mapping[str, Any]) -> None:
        """Says what the models are that answer from now on, as `weights_of` has it."""
        self._weights = weights

    def answered(self, id: str, traces: Sequence[Trace], facts: Mapping[str, Any]) -> None:
        """Records an answer: a trace a choice. Of the facts it is the `seed`.

        Where that fails the answer stays without a record, and a warning says so.
        """
        try:
            rows = [trace_row(self._program, trace, self._folder) for trace in traces]
            failed = [number for number, trace in enumerate(traces) if trace.failed]
            self._write(answer_line(id, rows, failed, facts["seed"], self._time()))
        except (OSError, RunError) as error:
            self._reporter.warning(f"--log {self._folder}: answers are not recorded: {error}")
            return
        self._choices[id] = len(traces)

    def rated(self, said: Mapping[str, Any]) -> None:
        """Records what somebody said of an answer, as `read_rating` takes it; on the disk.

        Raises:
            BadValue: it is no rating.
            UnknownAnswer: of an answer that is not in the log.
            RunError: it cannot be written.
        """
        id = id_of(said)
        choices = self._choices.get(id)
        if choices is None:
            raise UnknownAnswer(f"id: no answer {id!r:.60} is in the log of this server")
        rating = read_rating(said, choices)
        if isinstance(rating.said, Correction):
            require_correction(self._program, rating.said.side)
        try:
            self._write(rating_line(said, self._time()), lasting=True)
        except OSError as error:
            raise RunError(f"cannot write to {self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """Ends the file that is being written."""
        with self._lock:
            self._end()

    def _write(self, line: Line, *, lasting: bool = False) -> None:
        text = _encoded(line)
        with self._lock:
            try:
                if self._is_over():
                    self._begin()
                self._append(text)
                if lasting:
                    assert self._file is not None
                    os.fsync(self._file)
            except OSError:  # perhaps a half line is there: nothing may follow it
                self._end()
                raise

    def _is_over(self) -> bool:
        """Whether the next line begins a file: also where somebody has removed the present one."""
        if self._file is None or self._day != self._today() or self._size > MAX_FILE:
            return True
        return os.fstat(self._file).st_nlink == 0

    def _begin(self) -> None:
        """Begins a file, with what answers."""
        self._end()
        self._day, self._size = self._today(), 0
        path = next_file(self._folder, self._day)
        self._file = os.open(path, _NEW, 0o600)
        try:
            self._append(_encoded(head_line(self._program, self._weights, self._time())))
        except OSError:  # a full disk is not to be filled with beginnings
            path.unlink(missing_ok=True)
            raise

    def _end(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _append(self, text: bytes) -> None:
        assert self._file is not None
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._size += len(text)

    def _today(self) -> str:
        return self._now().strftime("%Y-%m-%d")

    def _time(self) -> str:
        return self._now().isoformat(timespec="seconds")


def _is_log(folder: Path) -> bool:
    """Whether it holds a log; of one whose files somebody removed the images are left."""
    seen = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    return bool(log_files(folder)) or seen == {FOLDER}


def _known(program: Program, folder: Path) -> dict[str, int]:
    """How many choices each answer of a log has that is there."""
    return LogReader(program, folder).choices() if log_files(folder) else {}


def _encoded(line: Line) -> bytes:
    return f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n".encode()
