"""The log of a served system: nothing of it is lost, mixed up, or half there."""

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sysgraph
from sysgraph import Completion, InputError, Program, Trace
from sysgraph.data import logs
from sysgraph.data.images import ImageFiles
from sysgraph.data.logs import Logged, LogReader
from sysgraph.data.rows import Row
from sysgraph.data.shown import BadValue
from sysgraph.data.traces import read_trace_row
from sysgraph.serving import log as writing
from sysgraph.serving.log import Log, UnknownAnswer, require_log
from sysgraph.support.progress import Reporter
from sysgraph.traces.pictures import Picture

# No model of it is loaded: the test says what they gave.
GRAPH = """
sysgraph: 1
name: cards
models:
  writer: {kind: causal_lm, id: nowhere}
  painter: {kind: diffusion, id: nowhere}
parsers: {digit: {kind: regex, pattern: "[0-9]", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: writer, prompt: "{{ question }}"}
  digit: {kind: parse, parser: digit}
  card: {kind: diffusion, model: painter, prompt: "{{ digit }}"}
edges: [question -> raw, raw -> digit, digit -> card]
outputs: [card]
"""
PROGRAM = sysgraph.compile(sysgraph.load(GRAPH))
QUIET = Reporter(shown=False)
RED = Image.new("RGB", (2, 2), "red")


def trace(text: str, *ids: int, question: str = "é?") -> Trace:
    picture = Picture.read(PICTURE) if any(map(str.isdigit, text)) else None
    values: dict[str, Any] = {"raw": Completion(text, ids), "card": picture}
    start = Trace({"question": question}, {k: v for k, v in values.items() if v}, PROGRAM.outputs)
    return sysgraph.traces.course.complete(PROGRAM, start)


PICTURE = Path()


@pytest.fixture(autouse=True)
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RED.save(tmp_path / "red.png")
    monkeypatch.setattr(f"{__name__}.PICTURE", tmp_path / "red.png")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.opened(PROGRAM, tmp_path / "log", QUIET) as found:
        found.answered_by({"writer": {"base": "1"}})
        yield found


def read(folder: Path) -> tuple[LogReader, dict[str, list[Trace]], list[Logged]]:
    """What is in a log: the traces by answer, and the ratings."""
    reader = LogReader(PROGRAM, folder)
    answers = {}
    for one in reader.answers(lambda id, failed: True):
        problems: list[str] = []
        rows = [Row(one.place, row, ImageFiles(folder)) for row in one.fields["traces"]]
        answers[one.fields["answer"]] = [read_trace_row(PROGRAM, r, problems) for r in rows]
        assert problems == []
    return reader, answers, [*reader.ratings()]


def test_what_many_threads_record_is_read_as_it_was(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is read by others, over several files; every token id, and images once."""
    monkeypatch.setattr(writing, "MAX_FILE", 10_000)
    folder, given = tmp_path / "log", {}
    for k in range(60):
        text = f"a {k % 10}\n" if k % 4 else "none"
        given[f"chatcmpl-{k}"] = [trace(text, k, 1 + k, question=f"q{k}"), trace("9", 2)]

    def work(part: list[str]) -> None:
        for id in part:
            log.answered(id, given[id], {"seed": int(id[9:])})
            log.rated({"id": id, "choice": 1, "rating": "up", "user": "ünï\n"})

    threads = [threading.Thread(target=work, args=([*given][i::6],)) for i in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if logs.log_files(folder) if folder.is_dir() else ():
            _, some, _ = read(folder)
            assert all(some[id] == given[id] for id in some)
    reader, answers, ratings = read(folder)
    assert answers == given
    assert {one.fields["rated"] for one in ratings} == given.keys()
    assert reader.damaged == {}
    assert len(reader.policies) == 1
    assert len(logs.log_files(folder)) > 2
    assert [p.suffix for p in (folder / "images").iterdir()] == [".png"]
    line = json.loads(logs.log_files(folder)[0].read_text().splitlines()[1])
    assert line["seed"] == int(line["answer"][9:])
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(f.stat().st_mode) for f in logs.log_files(folder)} == {0o600}


def test_killed_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """The line is skipped and told; the next server goes on, and knows the answers before."""
    folder = tmp_path / "log"
    with Log.opened(PROGRAM, folder, QUIET) as log:
        log.answered("a", [trace("1", 1)], {"seed": 1})
    (file,) = logs.log_files(folder)
    whole = file.read_bytes()
    for cut in (
        whole[:-1],
        whole[:-30],
        whole + b'{"rated": "a", "sa',
        whole[:40],
        whole + bytes(9) + b"\n",
    ):
        file.write_bytes(cut)
        reader, answers, _ = read(folder)
        assert [*reader.damaged] == [f"{file}:{len(cut.splitlines())}"]
        assert answers.keys() == ({"a"} if cut.startswith(whole) else set())
    file.write_bytes(whole + b'{"rated": "a"')
    with Log.opened(PROGRAM, folder, QUIET) as log:
        log.answered_by({"writer": {"base": "2"}})
        log.rated({"id": "a", "rating": -1.5})
        log.answered("b", [trace("2", 1)], {"seed": 1})
        with pytest.raises(UnknownAnswer, match="no answer 'c' is in the log"):
            log.rated({"id": "c", "rating": "up"})
    reader, answers, ratings = read(folder)
    assert (answers.keys(), len(ratings), len(reader.policies)) == ({"a", "b"}, 1, 2)
    assert file.read_bytes() == whole + b'{"rated": "a"'


def test_a_full_disk(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut short is followed by nothing: the next line begins another file."""
    log.answered("a", [trace("1", 1)], {"seed": 1})
    real = os.write

    def full(descriptor: int, content: bytes) -> int:
        if len(content) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, content[:19])

    monkeypatch.setattr(os, "write", full)
    log.answered("b", [trace("1", 1)], {"seed": 1})
    with pytest.raises(sysgraph.RunError, match="No space left"):
        log.rated({"id": "a", "rating": "up"})
    monkeypatch.setattr(os, "write", real)
    log.answered("c", [trace("1", 1)], {"seed": 1})
    log.rated({"id": "a", "rating": "down"})
    with pytest.raises(UnknownAnswer):
        log.rated({"id": "b", "rating": "up"})
    reader, answers, ratings = read(tmp_path / "log")
    assert (answers.keys(), len(ratings)) == ({"a", "c"}, 1)
    assert len(reader.damaged) == 1


def test_a_file_a_day_in_the_order_of_writing(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    now = [datetime(2026, 2, 28, 23, 59, tzinfo=UTC)]
    log = Log(PROGRAM, folder, QUIET, now=lambda: now[0])
    for step, id in ((0, "a"), (1, "b"), (-2, "c")):  # a clock that was put back
        now[0] += timedelta(days=step)
        log.answered(id, [trace("1", 1)], {"seed": 1})
    logs.log_files(folder)[-1].unlink()  # while it is written
    log.rated({"id": "a", "rating": "up"})
    log.answered("d", [trace("1", 1)], {"seed": 1})
    log.close()
    names = [file.name for file in logs.log_files(folder)]
    assert names == ["2026-02-28-0001.jsonl", "2026-03-01-0002.jsonl", "2026-02-27-0003.jsonl"]
    assert len(read(folder)[2]) == 1
    assert [*read(folder)[1]] == ["a", "b", "d"]


def changed(old: str, new: str) -> Program:
    return sysgraph.compile(sysgraph.load(GRAPH.replace(old, new)))


def test_whose_log_it_is(log: Log, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with ExitStack() as stack, pytest.raises(InputError, match="another process is writing"):
        stack.enter_context(Log.opened(PROGRAM, folder, QUIET))
    log.answered("a", [trace("1", 1)], {"seed": 1})
    prompt = r"is the log of another system: .*prompt was '{{ digit }}', now is 'a {{ digit }}'"
    for check in (require_log, LogReader):
        with pytest.raises(InputError, match=prompt):
            check(changed("{{ digit }}", "a {{ digit }}"), folder)
    served = changed("id: nowhere}", "id: elsewhere, train: frozen}")
    require_log(served, folder)  # an export, or models with other weights
    assert LogReader(served, folder).choices() == {"a": 1}
    for place in (tmp_path, PICTURE):
        with pytest.raises(InputError, match="holds no log: choose another --log"):
            require_log(PROGRAM, place)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"rating": "up"}, "choice: missing; this answer has 2: expected 0 to 1"),
        ({"rating": "up", "choice": 2}, "choice: expected 0 to 1, got 2"),
        ({"rating": "up", "choice": True}, "choice: expected 0 to 1, got true"),
        ({"rating": "Up", "choice": 0}, 'rating: expected "up", "down" or a number, got the'),
        ({"rating": float("nan"), "choice": 0}, "or a number, got nan"),
        ({"rating": 10**400, "choice": 0}, "or a number, got 1000"),
        ({"better": 0}, "worse: expected 0 to 1, got null"),
        ({"better": 1, "worse": 1}, "expected different choices, got one twice"),
        ({"ranking": [0]}, "ranking: expected a list of choices, 2 to 2"),
        ({"ranking": [0, 0]}, "got one twice"),
        ({"rating": 1, "better": 0, "worse": 1}, "got rating and better"),
        ({}, "expected one of rating, better (with worse), ranking and correction; got none"),
        ({"rating": 1, "choice": 0, "coment": "?"}, "coment: no such field"),
        ({"rating": 1, "choice": 0, "user": "x" * 257}, "user: expected a text of 1 to 256"),
        ({"rating": 1, "choice": 0, "id": 5}, "id: expected a text"),
        ({"correction": "1", "choice": 0}, "the output card is an image"),
        ({"correction": "\ud800", "choice": 0}, "half of a character"),
        ({"correction": "x" * (1 << 20 | 1), "choice": 0}, "at most 1,048,576 characters"),
        ({"correction": {}, "choice": 0}, "expected a text, or texts by output"),
    ],
)
def test_wrong_ratings_leave_no_trace(
    said: dict[str, Any], why: str, log: Log, tmp_path: Path
) -> None:
    log.answered("a", [trace("1", 1), trace("2", 1)], {"seed": 1})
    with pytest.raises(BadValue) as caught:
        log.rated({"id": "a", **said})
    assert why in str(caught.value)
    assert read(tmp_path / "log")[2] == []
