"""`sysgraph collect`: its files, that it goes on where it was killed, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sysgraph
from sysgraph import Trace
from sysgraph.serving.log import Log
from sysgraph.support.progress import Reporter

from .test_run import here

GRAPH = """
sysgraph: 1
name: guess
models: {m: {kind: table, values: [red cube tiny, red cube huge, blue ring huge]}}
nodes: {question: {kind: input}, answer: {kind: lm, model: m, prompt: "{{ question }}"}}
edges: [question -> answer]
outputs: [answer]
"""
OPTIONS = ["--inputs", "in.jsonl", "--scorer", "attributes"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "g.yaml").write_text(GRAPH)
    (tmp_path / "in.jsonl").write_text('{"question": "what is bar fam hak ?", "k": 1}\n' * 3000)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_killed_and_called_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real process, killed while it writes; the same call ends with the same files."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sysgraph", "collect", "g.yaml", *OPTIONS, "-o", "killed"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    traces = folder / "killed" / "traces.jsonl"
    deadline = time.monotonic() + 60
    while not (traces.exists() and traces.stat().st_size):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 0 < len(traces.read_bytes().splitlines()) < 3000 * 4
    assert not (folder / "killed" / "pairs.jsonl").exists()
    outputs = []
    for name in ("killed", "whole"):
        done = here(["collect", "g.yaml", *OPTIONS, "-o", name], monkeypatch, capsys)
        assert done.code == 0
        outputs.append(done.out.replace(name, ""))
    assert outputs[0] == outputs[1]
    for file in (folder / "whole").iterdir():
        assert file.read_bytes() == (folder / "killed" / file.name).read_bytes()
    rows = [json.loads(line) for line in (folder / "whole" / "pairs.jsonl").open()]
    assert outputs[0] == f"/pairs.jsonl: {len(rows)} pairs from 12000 traces\n"
    assert all(row["scores"][0] > row["scores"][1] for row in rows)
    assert {row["k"] for row in rows} == {1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "out", "--samples", "1"], "Invalid value for '--samples'"),
        (["-o", "out", "--scorer", "attribute"], "did you mean `attributes`?"),
        (["-o", "out", "--inputs", "toy:specialists/tran"], "did you mean `toy:specialists/train`"),
        (["-o", "out", "--model-dir", "nowhere"], "nowhere holds no trained models"),
        (["-o", "out", "--set", "fit.betta=1"], "betta"),
        (["-o", "."], "holds no collection to go on with: choose another --output"),
        (["-o", "g.yaml/out"], "cannot write"),
        ([], "Missing option '--output' / '-o'"),
        (
            ["-o", "out", "--from-log", "."],
            "--inputs, --scorer: not with --from-log",
        ),
    ],
)
def test_wrong_input_writes_nothing(
    options: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(folder.rglob("*"))
    done = here(["collect", "g.yaml", *OPTIONS, *options], monkeypatch, capsys)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert sorted(folder.rglob("*")) == before


def test_from_a_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    answers = [Trace({"question": "?"}, {"answer": text}, program.outputs) for text in "ab"]
    with Log.opened(program, folder / "log", Reporter(shown=False)) as log:
        log.answered("one", answers, {"seed": 0})
        for choice, rating in enumerate(("up", "up", "down")):
            log.rated({"id": "one", "choice": choice % 2, "rating": rating})
        log.rated({"id": "one", "choice": 1, "correction": "c"})
    collect = ["collect", "g.yaml", "-o", "out"]
    done = here([*collect, "--from-log", "log"], monkeypatch, capsys)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "out/pairs.jsonl: 1 pairs from 2 rated choices of 1 answers\n"
        "left out:\n"
        "  ratings that their users changed later: 1\n"
        "  corrections that no pair can be made of: 1\n"
        "the first correction that is left out: one:1: answer: 'c' is no value of table 'm'; they "
        "are: red cube tiny, red cube huge, blue ring huge\n"
    )
    for options, said in (
        (["--from-log", "nowhere", "-o", "new"], "there is no folder nowhere; expected the folder"),
        (["--from-log", ".", "-o", "new"], ". holds no log; expected the folder that `sysgraph"),
        (["-o", "new"], "--inputs: missing; expected what to sample (or --from-log DIR)"),
    ):
        done = here([*collect, *options], monkeypatch, capsys)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert not (folder / "new").exists()
