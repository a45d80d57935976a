"""The log of a served system: what it answered and what people said of that, as JSON Lines.

    {"head": 1, "time": ..., "program": {...}, "weights": {...}}
    {"answer": "chatcmpl-1", "choices": 2, "failed": [], "time": ..., "seed": 7, "traces": [...]}
    {"rated": "chatcmpl-1", "time": ..., "said": {"id": "chatcmpl-1", "choice": 0, "rating": "up"}}

A file is begun for every start of a server, every day and every `MAX_FILE` bytes, and never changed
later: old ones can be removed while a server writes. Each begins with what answered. A line counts
once it has ended, so a folder can be read while it is written, and after a crash.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sysgraph_compiler import Program

from ..support.changes import listed, program_changes
from ..support.errors import InputError

VERSION = 1
MAX_FILE = 1 << 26
"""Bytes of a file after which the next one is begun."""
_FILE = re.compile(r"\d{4}-\d\d-\d\d-\d{4,}\.jsonl")
_ANSWER = re.compile(rb'\{"answer": "([^"\\]+)", "choices": (\d+), "failed": \[([\d, ]*)\]')
_RATED = b'{"rated": '
_KINDS = (b'{"answer": ', _RATED)
_MEANING = ("variables", "parsers", "outputs")
"""The parts of a program that say what its traces mean, whatever models they are from."""

Line = dict[str, Any]


def log_files(folder: Path) -> list[Path]:
    """The files of a log, in the order in which they were written, whatever the clock said."""
    found = (path for path in folder.glob("*.jsonl") if _FILE.fullmatch(path.name))
    return sorted(found, key=_number)


def next_file(folder: Path, day: str) -> Path:
    """A file that is not there yet, after all others."""
    last = max(map(_number, log_files(folder)), default=0)
    return folder / f"{day}-{last + 1:04d}.jsonl"


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def head_line(program: Program, weights: Mapping[str, Any], time: str) -> Line:
    """What a file begins with: which system answered, and with which weights."""
    parts = json.loads(program.to_json())
    told = {name: parts[name] for name in ("name", "models", *_MEANING)}
    return {"head": VERSION, "time": time, "program": told, "weights": weights}


def answer_line(
    id: str, rows: Sequence[Mapping[str, Any]], failed: Sequence[int], seed: int, time: str
) -> Line:
    """What was answered: a row a choice, as `trace_row` gives it. `failed` have no output."""
    facts = {"choices": len(rows), "failed": failed, "time": time, "seed": seed}
    return {"answer": id, **facts, "traces": rows}


def rating_line(said: Mapping[str, Any], time: str) -> Line:
    """What somebody said of an answer, as `read_rating` takes it."""
    return {"rated": said["id"], "time": time, "said": said}


@dataclass(frozen=True)
class Logged:
    """A line of a log: where it stands, and a name of the weights that answered."""

    place: str
    policy: str
    fields: Line


@dataclass
class LogReader:
    """Reads a log, any size of it, while a server may write it.

    Args:
        program: the system that the log has to be of.

    Raises:
        InputError: there is none, or it is of another system.
    """

    program: Program
    folder: Path
    damaged: dict[str, None] = field(default_factory=dict)
    """Places of lines that are no whole ones, as of a server that was killed; in order."""
    policies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By their names, the weights that answered."""

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise InputError(f"there is no folder {self.folder}; {_WANTED}")
        if not log_files(self.folder):
            raise InputError(f"{self.folder} holds no log; {_WANTED}")
        found = {file: self._of(file) for file in log_files(self.folder)}
        self._files = {file: policy for file, policy in found.items() if policy is not None}

    def choices(self) -> dict[str, int]:
        """How many choices each answer has, by its id."""
        found = {}
        for _, _, raw in self._lines():
            if match := _ANSWER.match(raw):
                found[match[1].decode()] = int(match[2])
        return found

    def ratings(self) -> Iterator[Logged]:
        """All ratings, in the order in which they were given."""
        return self._read(lambda raw: raw.startswith(_RATED))

    def answers(self, wanted: Callable[[str, bool], bool]) -> Iterator[Logged]:
        """The answers that are `wanted`, which is told their id and whether a choice failed."""

        def is_wanted(raw: bytes) -> bool:
            match = _ANSWER.match(raw)
            return match is not None and wanted(match[1].decode(), bool(match[3]))

        return self._read(is_wanted)

    def _of(self, file: Path) -> str | None:
        """The name of the weights that a file's answers are from; None: it holds no whole line."""
        with _opened(file) as lines:
            raw = lines.readline()
        head = self._whole(f"{file}:1", raw)
        if head is None:
            return None
        if head.get("head") != VERSION or not isinstance(head.get("program"), dict):
            raise InputError(f"{file} is no file of a log of this version of sysgraph; {_WANTED}")
        require_same(self.program, head["program"], file)
        weights = json.dumps(head["weights"], sort_keys=True).encode()
        name = hashlib.blake2b(weights, digest_size=6).hexdigest()
        self.policies[name] = head["weights"]
        return name

    def _lines(self) -> Iterator[tuple[str, str, bytes]]:
        """Every whole line that is no head, with its place and what answered."""
        for file, policy in self._files.items():
            with _opened(file) as lines:
                for number, raw in enumerate(lines, start=1):
                    place = f"{file}:{number}"
                    if number > 1 and raw.endswith(b"\n") and raw.startswith(_KINDS):
                        yield place, policy, raw
                    elif number > 1:
                        self.damaged[place] = None

    def _read(self, wanted: Callable[[bytes], bool]) -> Iterator[Logged]:
        for place, policy, raw in self._lines():
            fields = self._whole(place, raw) if wanted(raw) else None
            if fields is not None:
                yield Logged(place, policy, fields)

    def _whole(self, place: str, raw: bytes) -> Line | None:
        try:
            found = json.loads(raw) if raw.endswith(b"\n") else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self.damaged[place] = None
            return None
        return found


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:  # it was removed a moment ago, or is another user's
        raise InputError(f"cannot read {file}: {error.strerror}") from None


def require_same(program: Program, logged: Mapping[str, Any], where: Path) -> None:
    """Refuses what another system answered: its values mean something else here.

    Raises:
        InputError: it did, with what differs.
    """
    own = json.loads(program.to_json())
    sides = ({part: side.get(part) for part in _MEANING} for side in (logged, own))
    if found := program_changes(*sides):
        raise InputError(f"{where} is the log of another system: {listed(found)}")


_WANTED = "expected the folder that `sysgraph serve --log` wrote"
