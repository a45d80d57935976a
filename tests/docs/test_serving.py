"""docs/serving.md, done as it says: the files are written, the commands run, the clients ask."""

import re
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from ..cli.test_run import here

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def steps() -> Iterator[tuple[str, str, str]]:
    """The commands, each with what it prints, and the code that follows it."""
    blocks = BLOCK.findall(PAGE)
    for (kind, text), (after, code) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        commands = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:] if kind == "console" else []
        for command in commands:
            line, _, shown = command.partition("\n")
            last = command is commands[-1] and after == "python"
            yield line, shown, code if last else ""


def test_what_is_shown_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILE.findall(PAGE):
        Path(name).write_text(text, encoding="utf-8")
    answers, served = [], []
    for line, shown, code in steps():
        arguments = shlex.split(line)[1:]
        if arguments[0] == "serve":
            arguments += ["--port", "0"]
            monkeypatch.setattr("sysgraph.serving.server.run", _while_served(code, served))
        done = here(arguments, monkeypatch, capsys)
        assert done.code == 0, (line, done.err)
        assert shown in re.sub(r"127.0.0.1:\d+", "127.0.0.1:8000", done.out), (line, done.out)
        answers += [done.out] if arguments[0] == "run" else []
        if code and arguments[0] != "serve":
            _load(code, monkeypatch)
    ours, theirs = answers
    assert ours == theirs
    assert "draft: " in ours
    assert len(served) == 2
    assert len(Path("liked/pairs.jsonl").read_text().splitlines()) > 0


def _load(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each card says too."""
    with monkeypatch.context() as there:
        there.chdir("served")
        exec(compile(code, "serving.md", "exec"), {})
        card = Path("specialist-color/adapters/editor/README.md").read_text(encoding="utf-8")
    for statement in code.splitlines()[3:]:
        assert statement in card


def _while_served(code: str, served: list[Any]) -> Callable[..., None]:
    """Serves as long as a client takes, in place of until a signal comes."""

    def run(app: ASGIApp, bound: socket.socket, *, ready: Callable[[], None], **_: float) -> None:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        ready()
        port = bound.getsockname()[1]
        names: dict[str, Any] = {}
        try:
            exec(compile(code.replace(":8000", f":{port}"), "serving.md", "exec"), names)
        finally:
            server.should_exit = True
            thread.join()
        served.append(names["answer"])

    return run
