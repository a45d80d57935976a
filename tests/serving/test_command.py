"""`sysgraph serve` as a whole: options, a process that is asked and told to stop."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import openai
import pytest

from ..cli.test_run import here
from .serving import GRAPH, until

PLUGIN = """
import time
from pathlib import Path

def join(question: str, draft: str) -> str:
    if question == "wait":
        Path("entered").touch()
        while not Path("open").exists():
            time.sleep(0.01)
    return f"{question}: {draft}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pair.yaml").write_text(GRAPH)
    (tmp_path / "tools.py").write_text(PLUGIN)
    return tmp_path


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


SERVE = ["serve", "pair.yaml", "--plugin", "tools.py"]


def test_a_process_serves_and_stops_when_all_is_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sysgraph", *SERVE, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SYSGRAPH_SERVE_KEY": "s3cret"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"pair: (http://127\.0\.0\.1:(\d+)/v1)\n", line)
    assert found, (line, process.communicate())

    def ask(question: str, key: str = "s3cret") -> Any:
        with openai.OpenAI(base_url=found[1], api_key=key, max_retries=0) as client:
            return client.chat.completions.create(
                model="pair", messages=[{"role": "user", "content": question}], seed=4
            )

    with pytest.raises(openai.AuthenticationError):
        ask("what ?", "no")
    done = here(
        ["run", *SERVE[1:], "--input", "question=what ?", "--seed", "4"], monkeypatch, capsys
    )
    assert f"answer (output): {ask('what ?').choices[0].message.content}\n" in done.out
    second = here([*SERVE, "--port", found[2]], monkeypatch, capsys)
    assert second.code == 2
    assert f"cannot listen on 127.0.0.1 port {found[2]}: " in second.err

    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask("wait")))
    thread.start()
    until((folder / "entered").exists)
    process.send_signal(signal.SIGTERM)
    until(lambda: not listens(int(found[2])))
    (folder / "open").touch()
    thread.join()
    assert answers[0].choices[0].message.content.startswith("wait: ")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")
    assert {path.name for path in folder.iterdir()} == {
        "pair.yaml", "tools.py", "entered", "open"
    }  # fmt: skip


def test_wrong_options_are_refused_before_anything_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").write_text("\n")
    (folder / "two").write_text("a b\n")
    for arguments, said in [
        (["--api-key-file", "none"], "--api-key-file none: No such file"),
        (["--api-key-file", "empty"], "--api-key-file empty: expected a key"),
        (["--api-key-file", "two"], "--api-key-file two: expected a key"),
        (["--device", "abacus"], "--device 'abacus': "),
        (["--host", "no.such.host.invalid"], "--host 'no.such.host.invalid': "),
        (["--max-n", "0"], "'--max-n': "),
        (["--host", "0.0.0.0", "--model-dir", "none"], "warning: whoever reaches 0.0.0.0 can use"),
        (["--model-dir", "none"], "none holds no trained models"),
    ]:
        done = here([*SERVE, "--port", "0", *arguments], monkeypatch, capsys)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = here(SERVE, monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err == 'error: serve needs uvicorn: pip install "sysgraph[serve]"\n'
