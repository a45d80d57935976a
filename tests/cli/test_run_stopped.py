"""`sysgraph run --inputs`, stopped anywhere: what is gone on with ends as if nothing had been."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError, System
from sysgraph.cli.answers import Tally, write_answers
from sysgraph.cli.many import Manner
from sysgraph.support.errors import Interrupted, ServiceError
from sysgraph.support.progress import Reporter

from .test_run_inputs import GRAPH

PROGRAM = sysgraph.compile(sysgraph.load(GRAPH))


class Killed(BaseException):
    """Nothing that is written after it is: a process that was killed writes nothing either."""


class Stopping(System):
    """Samples a few chunks, and then stops."""

    def __init__(self, chunks: int, error: BaseException) -> None:
        super().__init__(PROGRAM, device="cpu")
        self._left, self._error = chunks, error

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return super().stream(*args, **kwargs)


def answer(file: Path, system: System | None = None, seed: int = 5, **more: bool) -> Tally:
    return write_answers(
        lambda: system or System(PROGRAM, device="cpu"),
        PROGRAM,
        str(file.parent / "in.jsonl"),
        file,
        Manner(seed=seed, all_values=True, **more),
        Reporter(shown=False),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # Equal rows are told apart by how many came before, in whatever call; some rows are no input.
    rows = [{"question": f"q{i % 50}", "id": i} if i % 40 else {"id": i} for i in range(300)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_a_killed_run_goes_on_after_its_last_whole_rows(folder: Path) -> None:
    whole, file = folder / "whole.jsonl", folder / "out.jsonl"
    tally = answer(whole)
    with pytest.raises(Killed):
        answer(file, Stopping(2, Killed()))
    rows = folder / "out.jsonl.partial" / "rows.jsonl"
    assert not file.exists()
    done = rows.read_bytes()
    assert done.count(b"\n") == 128
    rows.write_bytes(done + whole.read_bytes()[len(done) :][:90])  # it was about to write more
    with pytest.raises(Interrupted, match=r"interrupted; .*add --resume"):
        answer(file, Stopping(1, KeyboardInterrupt()), resume=True)
    with pytest.raises(RunError, match=r"gone\nwhat is done is in .*add --resume"):
        answer(file, Stopping(1, ServiceError("gone")), resume=True)
    assert rows.read_bytes().count(b"\n") == 256
    assert answer(file, Stopping(1, Killed()), resume=True) == Tally(
        300, tally.failed, tally.first.replace("whole", "out")
    )
    assert file.read_bytes() == whole.read_bytes()
    assert not rows.parent.exists()
    assert sorted(path.name for path in folder.iterdir()) == [
        "in.jsonl",
        "out.jsonl",
        "whole.jsonl",
    ]


def test_what_is_no_longer_the_same_is_not_gone_on_with(folder: Path) -> None:
    file = folder / "out.jsonl"
    file.write_text("old")
    with pytest.raises(InputError, match=r"out\.jsonl exists: add --overwrite"):
        answer(file)
    with pytest.raises(Interrupted, match="nothing was written"):
        answer(file, Stopping(0, KeyboardInterrupt()), overwrite=True)
    assert not file.with_name("out.jsonl.partial").exists()
    with pytest.raises(Killed):
        answer(file, Stopping(1, Killed()), overwrite=True)
    with pytest.raises(InputError, match="rows of a stopped run: add --resume"):
        answer(file)
    with pytest.raises(InputError, match="rows of another run: seed was 5, now is 6"):
        answer(file, seed=6, resume=True)
    with (folder / "in.jsonl").open("a") as more:
        more.write('{"question": "more"}\n')
    with pytest.raises(InputError, match="rows of another run: rows was 300, now is 301"):
        answer(file, resume=True)
    assert file.read_text() == "old"
    answer(file, overwrite=True)
    assert file.read_text().count("\n") == 301


def test_other_weights_are_another_run(folder: Path) -> None:
    file = folder / "out.jsonl"
    with pytest.raises(Killed):
        answer(file, Stopping(1, Killed()))
    other = System(PROGRAM, device="cpu")
    for model in other.trained():
        for parameter in other.parameters(model).values():
            parameter.data += 1
    with pytest.raises(InputError, match=r"rows of another run: weights\.m\.trained was"):
        answer(file, other, resume=True)
