"""A run's folder as plain facts, as far as the run got: no model is loaded, nothing is written."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..support.files import read_json
from .credit import Credit

_LINES = 4000
"""Most lines of training steps that are read; of more, every second, third, ..."""
_MILESTONES = (b'"eval_', b'"evaluation"', b'/held_out"', b'/train"')
"""What lines have that are few and all read: evaluations, and the scores of rounds."""
_REMEDY = "put it back as it was"

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What is known of a run.

    Args:
        steps: lines of metrics of training steps, every `every`-th of them.
        milestones: all other lines of metrics, in their order.
        finished: whether it ended.
        before: answers to held-out inputs, rows as `record/before/answers.jsonl` has them.
        answered: how many there were, of which these are the first.
        wrong: the pairs with the lowest margins.
        images: where images of `before`, `after` and `wrong` lie.
    """

    root: Path
    program: Program
    steps: list[Line]
    milestones: list[Line]
    every: int
    finished: bool
    result: Mapping[str, Any]
    state: Mapping[str, Any]
    timings: list[Line]
    before: list[Line]
    after: list[Line]
    answered: int
    credit: Credit | None
    wrong: list[Line]
    study: Mapping[str, Any]
    lost: list[str] = field(default_factory=list)
    """What could not be read, in words."""

    @property
    def at(self) -> int:
        """Steps of the whole run that were taken, as metrics tell."""
        return max((self.when(line) for line in (*self.steps, *self.milestones)), default=0)

    def when(self, line: Line) -> int:
        """Steps of the whole run until a line of metrics."""
        fit = self.program.fit
        if "evaluation" in line:
            return 0 if line["evaluation"] == "before" else max(1, fit.rounds) * fit.steps
        return int(line.get("round", 0)) * fit.steps + int(line.get("step", 0))


def read_facts(root: Path) -> Facts:
    """The facts of a run, finished or not.

    Raises:
        InputError: the folder holds no run, or one of another version.
    """
    program = read_program(root)
    reader = _Reader(root)
    steps, milestones, every = reader.metrics(root / "metrics.jsonl")
    record = root / "record"
    about = reader.object(record / "before" / "manifest.json")
    credit = reader.object(record / "credit" / "credit.json")
    return Facts(
        root=root,
        program=program,
        steps=steps,
        milestones=milestones,
        every=every,
        finished=(root / "result.json").is_file(),
        result=reader.object(root / "result.json"),
        state=reader.object(root / "state" / "info.json"),
        timings=list(reader.lines(root / "timings.jsonl")),
        before=list(reader.lines(record / "before" / "answers.jsonl")),
        after=list(reader.lines(record / "after" / "answers.jsonl")),
        answered=int(about.get("answers", 0)),
        credit=Credit.model_validate(credit) if credit else None,
        wrong=list(reader.lines(record / "credit" / "wrong.jsonl")),
        study=reader.object(_study(root)),
        lost=reader.lost,
    )


def read_program(root: Path) -> Program:
    """The program of a run; paths in its tools' settings start where they did when it was trained.

    Raises:
        InputError: the folder holds no run, or one of another version.
    """
    file = root / "program.json"
    if not file.is_file():
        raise InputError(f"{root} is no run: it has no program.json")
    read_json(file, _REMEDY)
    try:
        program = Program.from_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file} is of another version of sysgraph, or damaged: {where}: {first['msg']}. Put "
            "it back as it was, or use the version that made this run"
        ) from None
    except ValueError as error:
        raise InputError(f"{file}: {error}") from None
    program.bound.folder = root
    return program


def read_metrics(root: Path) -> list[Line]:
    """Every line of a run's metrics that can be read, in order."""
    return list(_Reader(root).lines(root / "metrics.jsonl"))


def _study(root: Path) -> Path:
    """The table of the study that a run is a part of (`STUDY/ROW/seedN`), or where it would be."""
    places = [root, root.absolute().parent.parent, root.absolute().parent.parent.parent]
    return next((p / "study.json" for p in places if (p / "study.json").is_file()), root / "none")


class _Reader:
    """Reads what is there. What is damaged is as good as missing, and told."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.lost: list[str] = []

    def object(self, file: Path) -> dict[str, Any]:
        if not file.is_file():
            return {}
        try:
            return read_json(file, "")
        except InputError:
            self._lose(file)
            return {}

    def lines(self, file: Path) -> Iterator[dict[str, Any]]:
        if not file.is_file():
            return
        with file.open("rb") as content:
            for line in content:
                yield from self._parsed(line, file)

    def metrics(self, file: Path) -> tuple[list[Line], list[Line], int]:
        """Lines of steps, every so many of them, and all others."""
        if not file.is_file():
            return [], [], 1
        with file.open("rb") as content:
            count = sum(not _is_milestone(line) for line in content)
        every = max(1, math.ceil(count / _LINES))
        steps: list[Line] = []
        milestones: list[Line] = []
        number = 0
        with file.open("rb") as content:
            for line in content:
                if _is_milestone(line):
                    milestones += self._parsed(line, file)
                else:
                    number += 1
                    if number % every == 0:
                        steps += self._parsed(line, file)
        return steps, milestones, every

    def _parsed(self, line: bytes, file: Path) -> Iterator[dict[str, Any]]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            self._lose(file)  # a line that a run was writing when it was killed
            return
        if isinstance(found, dict):
            yield found

    def _lose(self, file: Path) -> None:
        said = (
            f"a part of {file.relative_to(self._root) if file.is_relative_to(self._root) else file}"
        )
        if said not in self.lost:
            self.lost.append(said)


def _is_milestone(line: bytes) -> bool:
    return any(sign in line for sign in _MILESTONES)
