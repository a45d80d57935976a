"""The endpoint judge's cache: nothing is asked twice, whoever stops in the middle or shares it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph import InputError, RunError
from sysgraph.measuring.judges import Comparison, find_judge
from sysgraph.measuring.judges.endpoint import Endpoint

from .asking import ask, some, truth
from .server import KEY, Asked, Server, better, serving


def test_the_second_run_asks_nothing(at: Callable[..., Endpoint], tmp_path: Path) -> None:
    comparisons = some(20)
    with serving(better) as server:
        first = ask(at(server), comparisons)
        server.asked.clear()
        assert ask(at(server), comparisons) == first == truth(comparisons)
        assert server.asked == []
        more = [*comparisons, Comparison({"question": "q1"}, "1", "2"), Comparison({}, "1", "1")]
        assert ask(at(server), more) == truth(more)
        assert len(server.asked) == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["org-judge-1.jsonl"]
    assert KEY not in files[0].read_text()


def test_another_model_or_host_is_another_judge(
    at: Callable[..., Endpoint], tmp_path: Path
) -> None:
    with serving(lambda asked: "A") as first:
        assert ask(at(first), some(3)) == ["a"] * 3
        other = Endpoint("org/judge-1", cache=tmp_path / "cache")
        assert ask(other, some(3)) == ["a"] * 3
        assert len(first.asked) == 6
    with serving(lambda asked: "B") as second:
        assert ask(at(second), some(3)) == ["b"] * 3


@pytest.mark.parametrize("other", ["/a/v1", "/b/v1"])
def test_another_path_is_another_judge(other: str, at: Callable[..., Endpoint]) -> None:
    """Behind one host stand many models, each at a path."""
    with serving(lambda asked: "A") as server:
        for verdict, path in {"A": "/v1", "B": other}.items():
            there = Server(server.url.removesuffix("/v1") + path, server.asked)
            server.asked.clear()
            for _ in range(2):
                ask(at(there), some(3))
            assert len(server.asked) == 3, verdict


DAMAGED = [
    b"not json",
    b'{"key": "k", "verdict": "A"}',
    b'{"key": "k", "verdict": null}',
    b'{"key": "k", "verdict": ["a"]}',
    b'{"key": ["k"], "verdict": "a"}',
    b'{"key": "k"}',
    b'["key", "verdict"]',
    b'"key"',
    b"null",
    b'{"key": "\xff", "verdict": "a"}',
    b"[" * 100_000,
    b'{"key": ' * 50_000,
    b"1" * 10_000,
    bytes(100),
]


def test_damaged_lines_are_told_once(
    at: Callable[..., Endpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cache" / "org-judge-1.jsonl"
    with serving(better) as server:
        ask(at(server), some(3))
        good = file.read_bytes()
        file.write_bytes(b"\n".join([*DAMAGED[:5], good, *DAMAGED[5:]]))
        capsys.readouterr()
        server.asked.clear()
        assert ask(at(server), some(4)) == truth(some(4))
        assert len(server.asked) == 1
    assert capsys.readouterr().err == (
        f"warning: {file}: {len(DAMAGED)} of {len(DAMAGED) + 3} lines hold no verdict and are left "
        "out: what they were about is asked again\n"
    )


@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse"])
def test_a_cache_that_is_no_file(kind: str, at: Callable[..., Endpoint], tmp_path: Path) -> None:
    file = tmp_path / "cache" / "org-judge-1.jsonl"
    with serving(better) as server:
        judge = at(server)
        if kind == "pipe":
            os.mkfifo(file)
        elif kind == "folder":
            file.mkdir()
        else:
            with file.open("wb") as opened:
                opened.truncate(1 << 40)
        with pytest.raises(RunError, match=r"cannot read .*org-judge-1\.jsonl: .*; remove it"):
            ask(judge, some(1))


def test_a_model_with_a_long_name(
    at: Callable[..., Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(better) as server:
        at(server)
        assert ask(Endpoint("m/" * 500, cache=tmp_path / "cache"), some(1)) == truth(some(1))


def test_the_cache_lies_with_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path))
    with serving(better) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        judge = find_judge("openai:m")
        assert isinstance(judge, Endpoint)
        ask(judge, some(1))
    assert (tmp_path / "judges" / "m.jsonl").is_file()


def test_an_unusable_cache_folder(at: Callable[..., Endpoint], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with serving(better) as server, pytest.raises(InputError, match="cannot write"):
        at(server)


def test_torn_lines_lose_nothing_else(at: Callable[..., Endpoint], tmp_path: Path) -> None:
    file = tmp_path / "cache" / "org-judge-1.jsonl"
    with serving(better) as server:
        ask(at(server), some(5))
        file.write_bytes(file.read_bytes()[:-9])
        server.asked.clear()
        for left in (1, 0):
            assert ask(at(server), some(5)) == truth(some(5))
            assert len(server.asked) == left
            server.asked.clear()


SCRIPT = """
import pathlib, sys
from sysgraph.measuring.judges import Comparison
from sysgraph.measuring.judges.endpoint import Endpoint

some = range(*map(int, sys.argv[2:]))
comparisons = [Comparison({"question": f"q{i}"}, str(i % 7), str(i % 5)) for i in some]
judge = Endpoint("org/judge:1", cache=pathlib.Path(sys.argv[1]), workers=4)
print(judge.compare(comparisons, advance=lambda count: None))
"""


def process(server: Server, cache: Path, first: int, last: int) -> subprocess.Popen[str]:
    variables = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
    paths = os.pathsep.join(map(str, sys.path))
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(cache), str(first), str(last)],
        env={**os.environ, "PYTHONPATH": paths, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle(
    how: signal.Signals, at: Callable[..., Endpoint], tmp_path: Path
) -> None:
    """20 answers come, then the server is silent: what came is kept, and the end waits for none."""
    free, stuck, lock = threading.Event(), threading.Event(), threading.Lock()
    silent: list[str] = []

    def respond(asked: Asked) -> str:
        if int(asked.question[1:]) >= 20 and not free.is_set():
            with lock:
                silent.append(asked.question)
            if len(silent) == 4:
                stuck.set()
            free.wait(60)
        return better(asked)

    with serving(respond) as server:
        child = process(server, tmp_path / "cache", 0, 40)
        assert stuck.wait(60)
        file = tmp_path / "cache" / "org-judge-1.jsonl"
        while file.read_text().count('"key"') < 20:  # the last of them may be on its way
            time.sleep(0.01)
        child.send_signal(how)
        _, said = child.communicate(timeout=60)  # no reply comes before this: it must not wait
        assert not free.is_set()
        assert child.returncode != 0
        assert KEY not in said + file.read_text()
        assert ("KeyboardInterrupt" in said) == (how == signal.SIGINT)
        free.set()
        server.asked.clear()
        assert ask(at(server), some(40)) == truth(some(40))
        assert len(server.asked) == 20


def test_two_processes_share_a_cache(at: Callable[..., Endpoint], tmp_path: Path) -> None:
    with serving(better) as server:
        children = [process(server, tmp_path / "cache", first, first + 60) for first in (0, 60)]
        for child in children:
            _, said = child.communicate(timeout=60)
            assert child.returncode == 0, said
        server.asked.clear()
        assert ask(at(server), some(120)) == truth(some(120))
        assert server.asked == []
