"""`sysgraph eval --judge openai:...`: the whole command against a local server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sysgraph.cli import main

from .server import KEY, Answer, Asked, Server, better, serving

GRAPH = """
sysgraph: 1
name: numbers
models: {m: {kind: table, values: ["1", "2", "3", none], probs: [[0.3, 0.3, 0.3, 0.1]]}}
parsers: {digit: {kind: regex, pattern: "[0-9]", on_failure: reject}}
nodes:
  question: {kind: input}
  hint: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}{{ hint }}"}
  answer: {kind: parse, parser: digit}
edges: ["question, hint -> raw", raw -> answer]
outputs: [answer]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "g.yaml").write_text(GRAPH)
    rows = [{"question": f"q{i}", "hint": "h", "gold": "2"} for i in range(60)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


class Done(NamedTuple):
    code: int
    out: str
    err: str


Judged = Callable[..., Done]


@pytest.fixture
def judged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Judged:
    """The whole command in this process: torch is imported once."""

    def run(server: Server | None, *options: str) -> Done:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("SYSGRAPH_CACHE", str(folder / "cache"))
        monkeypatch.setenv("OPENAI_API_KEY", KEY if server else "")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url if server else "")
        fixed = ["--inputs", "in.jsonl", "--judge", "openai:big", "--against", "reference:gold"]
        monkeypatch.setattr("sys.argv", ["sysgraph", "eval", "g.yaml", *fixed, *options])
        with pytest.raises(SystemExit) as caught:
            main()
        return Done(int(caught.value.code or 0), *capsys.readouterr())

    return run


def test_win_rate_from_an_endpoint_and_from_disk(folder: Path, judged: Judged) -> None:
    with serving(better) as server:
        done = judged(server, "--format", "json")
        assert done.code == 0, done.err
        found = json.loads(done.out)
        answers = {(one.question, one.a) for one in server.asked if one.b == "2"}
        assert {question[:2] for question, _ in answers} == {"qu"}
        assert all(question.endswith("\nhint: h") for question, _ in answers)
        wins = sum(text == "3" for _, text in answers)
        lost = sum(text == "1" for _, text in answers)
        assert min(wins, lost) > 8
        assert len(server.asked) == 2 * (wins + lost)  # what is equal, or failed, is not asked
        assert found["wins"] == wins
        assert found["losses"] > lost, "those that failed to parse, too"
        assert found["wins"] + found["ties"] + found["losses"] == 60
        assert (found["judge"], found["disagreement"]["mean"]) == ("openai:big", 0)
        server.asked.clear()
        again = judged(server, "--format", "json")
        assert (again.out, server.asked) == (done.out, [])
    for path in folder.rglob("*"):
        assert path.is_dir() or KEY not in path.read_text()
    assert KEY not in done.out + done.err


def test_a_judge_of_positions(judged: Judged) -> None:
    with serving(lambda asked: "A") as server:
        done = judged(server)
    assert done.code == 0, done.err
    first, second = done.out.splitlines()
    assert first.startswith("openai:big: win rate 0.")
    assert " 0 won, " in first
    assert second.startswith("the answer shown first: preferred 0.500 [0.4")
    assert ", 0.500] above half; the orders disagree on 1.000 [0.9" in second


def test_an_endpoint_that_is_down_exits_with_1(judged: Judged) -> None:
    def respond(asked: Asked) -> Answer:
        return Answer("down", 500, {"retry-after-ms": "1"})

    with serving(respond) as server:
        done = judged(server)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: judge openai:big at 127.0.0.1:")
    assert " verdicts are in " in done.err


def test_an_endpoint_of_garbage_exits_with_1(folder: Path, judged: Judged) -> None:
    with serving(lambda asked: "As an AI \x1b[31m model") as server:
        done = judged(server)
    assert (done.code, done.out) == (1, "")
    assert r"was a verdict, asked twice; the first: 'As an AI \u001b[31m model'" in done.err
    assert "Traceback" not in done.err


def test_without_a_key_nothing_starts(folder: Path, judged: Judged) -> None:
    done = judged(None)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: set OPENAI_API_KEY")
    assert not (folder / "cache").exists()
